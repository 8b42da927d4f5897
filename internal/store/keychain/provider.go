package keychain

// The providers that a probe names; a label of metrics, so the list is closed.
const (
	providerGnome     = "gnome-keyring"
	providerKeePassXC = "KeePassXC"
	providerKWallet   = "kwallet"
	providerMacOS     = "macos"
	providerUnknown   = "unknown"
)
