package keychain

import (
	"context"
	"os"
	"strconv"
	"strings"

	dbus "github.com/godbus/dbus/v5"
)

// providerOf names the program behind a unique name: by its process, and where that cannot be
// seen (in a sandbox, in a container) by the other names that it owns on the bus.
func providerOf(ctx context.Context, conn *dbus.Conn, owner string) string {
	var pid uint32
	if askBus(ctx, conn, &pid, "GetConnectionUnixProcessID", owner) == nil {
		if provider := providerOfProcess(pid); provider != providerUnknown {
			return provider
		}
	}
	return providerOfNames(ctx, conn, owner)
}

func providerOfProcess(pid uint32) string {
	comm, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(pid), 10) + "/comm")
	if err != nil {
		return providerUnknown
	}
	return providerOfComm(strings.TrimSpace(string(comm)))
}

// providerOfComm takes a process name as the kernel gives it, which is its first 15 bytes.
func providerOfComm(comm string) string {
	switch comm {
	case "gnome-keyring-d":
		return providerGnome
	case "keepassxc":
		return providerKeePassXC
	case "kwalletd", "kwalletd5", "kwalletd6", "ksecretd":
		return providerKWallet
	}
	return providerUnknown
}

func providerOfNames(ctx context.Context, conn *dbus.Conn, owner string) string {
	for _, known := range []struct{ name, provider string }{
		{"org.keepassxc.KeePassXC.MainWindow", providerKeePassXC},
		{"org.gnome.keyring", providerGnome},
		{"org.kde.secretservicecompat", providerKWallet},
		{"org.kde.kwalletd6", providerKWallet},
		{"org.kde.kwalletd5", providerKWallet},
	} {
		var holder string
		if askBus(ctx, conn, &holder, "GetNameOwner", known.name) == nil && holder == owner {
			return known.provider
		}
	}
	return providerUnknown
}
