package words

// KeychainState is what a probe of the operating system's keychain found. It is the label
// `state` of agentkeys_keychain_state.
type KeychainState string

// The states of a keychain. Only KeychainUnlocked allows a write; KeychainPromptsOnWrite
// (KeePassXC) allows reads.
const (
	KeychainUnlocked       KeychainState = "unlocked"
	KeychainLocked         KeychainState = "locked"
	KeychainNoCollection   KeychainState = "no_collection"
	KeychainNoOwner        KeychainState = "no_owner"
	KeychainNoBus          KeychainState = "no_bus"
	KeychainHung           KeychainState = "hung"
	KeychainDenied         KeychainState = "denied"
	KeychainPromptsOnWrite KeychainState = "prompts_on_write"
	KeychainDisabled       KeychainState = "disabled"
)

// KeychainStates lists the states of a keychain, in the order in which metrics show them.
func KeychainStates() []KeychainState {
	return []KeychainState{
		KeychainUnlocked, KeychainLocked, KeychainNoCollection, KeychainNoOwner, KeychainNoBus,
		KeychainHung, KeychainDenied, KeychainPromptsOnWrite, KeychainDisabled,
	}
}

// Writable reports whether a save may try the keychain.
func (s KeychainState) Writable() bool { return s == KeychainUnlocked }

// Readable reports whether a load may ask the keychain.
func (s KeychainState) Readable() bool {
	return s == KeychainUnlocked || s == KeychainPromptsOnWrite
}

// The programs that keep a keychain, as metrics and `probe` name them.
const (
	ProviderGnome     = "gnome-keyring"
	ProviderKeePassXC = "KeePassXC"
	ProviderKWallet   = "kwallet"
	ProviderMacOS     = "macos"
	ProviderUnknown   = "unknown"
)

// Providers lists the providers of a keychain.
func Providers() []string {
	return []string{ProviderGnome, ProviderKeePassXC, ProviderKWallet, ProviderMacOS, ProviderUnknown}
}

// Backend is where the session of a slot is stored. It is the label `backend` of
// agentkeys_storage_backend.
type Backend string

// The backends. BackendNone is a slot without a session.
const (
	BackendKeychain Backend = "keychain"
	BackendFile     Backend = "file"
	BackendNone     Backend = "none"
)

// Backends lists the backends.
func Backends() []Backend { return []Backend{BackendKeychain, BackendFile, BackendNone} }

// Mode is the setting session_store (AGENTKEYS_SESSION_STORE): where sessions may be kept.
type Mode string

// The modes. ModeAuto prefers the keychain; ModeFile never touches it; ModeKeychain never
// writes a session into a file.
const (
	ModeAuto     Mode = "auto"
	ModeFile     Mode = Mode(BackendFile)
	ModeKeychain Mode = Mode(BackendKeychain)
)

// StoreResult is how an operation of the store ended. It is the label `result` of
// agentkeys_store_operations_total.
type StoreResult string

// The results of the store.
const (
	ResultOK           StoreResult = "ok"
	ResultNoSession    StoreResult = "no_session"
	ResultUnavailable  StoreResult = "unavailable"
	ResultInDoubt      StoreResult = "in_doubt"
	ResultInconsistent StoreResult = "inconsistent"
	ResultTooBig       StoreResult = "too_big"
	ResultInsecure     StoreResult = "insecure"
	ResultCorrupt      StoreResult = "corrupt"
	ResultBusy         StoreResult = "busy"
	ResultNewer        StoreResult = "newer"
	ResultStale        StoreResult = "stale" // a newer session was stored in the meantime; nothing was lost
	ResultError        StoreResult = "error" // anything else
)

// StoreResults lists the results of the store.
func StoreResults() []StoreResult {
	return []StoreResult{
		ResultOK, ResultNoSession, ResultUnavailable, ResultInDoubt, ResultInconsistent, ResultTooBig,
		ResultInsecure, ResultCorrupt, ResultBusy, ResultNewer, ResultStale, ResultError,
	}
}
