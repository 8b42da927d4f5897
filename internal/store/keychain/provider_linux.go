package keychain

import (
	"context"
	"os"
	"strconv"
	"strings"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/words"
)

// providerOf names the program behind a unique name: by its process, and where that cannot be
// seen (in a sandbox, in a container) by the other names that it owns on the bus.
func providerOf(ctx context.Context, conn *dbus.Conn, owner string) string {
	var pid uint32
	if askBus(ctx, conn, &pid, "GetConnectionUnixProcessID", owner) == nil {
		if provider := providerOfProcess(pid); provider != words.ProviderUnknown {
			return provider
		}
	}
	return providerOfNames(ctx, conn, owner)
}

func providerOfProcess(pid uint32) string {
	comm, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(pid), 10) + "/comm")
	if err != nil {
		return words.ProviderUnknown
	}
	return providerOfComm(strings.TrimSpace(string(comm)))
}

// providerOfComm takes a process name as the kernel gives it, which is its first 15 bytes.
func providerOfComm(comm string) string {
	switch comm {
	case "gnome-keyring-d":
		return words.ProviderGnome
	case "keepassxc":
		return words.ProviderKeePassXC
	case "kwalletd", "kwalletd5", "kwalletd6", "ksecretd":
		return words.ProviderKWallet
	}
	return words.ProviderUnknown
}

func providerOfNames(ctx context.Context, conn *dbus.Conn, owner string) string {
	for _, known := range []struct{ name, provider string }{
		{"org.keepassxc.KeePassXC.MainWindow", words.ProviderKeePassXC},
		{"org.gnome.keyring", words.ProviderGnome},
		{"org.kde.secretservicecompat", words.ProviderKWallet},
		{"org.kde.kwalletd6", words.ProviderKWallet},
		{"org.kde.kwalletd5", words.ProviderKWallet},
	} {
		var holder string
		if askBus(ctx, conn, &holder, "GetNameOwner", known.name) == nil && holder == owner {
			return known.provider
		}
	}
	return words.ProviderUnknown
}
