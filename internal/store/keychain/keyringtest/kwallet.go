package keyringtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/test/needs"
)

const (
	kwalletName = "org.kde.kwalletd5"
	kwalletPath = dbus.ObjectPath("/modules/kwalletd5")
	wallet      = "kdewallet"
)

// kwalletConfig turns KDE Wallet's Secret Service on, which Debian leaves off.
const kwalletConfig = `[Wallet]
Enabled=true
First Use=false
Use One Wallet=true
Default Wallet=kdewallet
[org.freedesktop.secrets]
apiEnabled=true
`

// KWallet is a real kwalletd5 on a private bus and display.
type KWallet struct {
	Address string
	Home    string
	display *Display
	*Process
}

// StartKWallet starts one with a wallet that exists and is closed; None has no
// wallet yet. secretService is whether its Secret Service is on.
func StartKWallet(t testing.TB, address string, display *Display, state State, secretService bool) *KWallet {
	t.Helper()
	needs.Programs(t, "kwalletd5")
	k := &KWallet{Address: address, Home: Dir(t), display: display}
	for _, dir := range []string{"config", "cache", "data/kwalletd", "run"} {
		if err := os.MkdirAll(filepath.Join(k.Home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config := kwalletConfig
	if !secretService {
		config = kwalletConfig[:len(kwalletConfig)-len("apiEnabled=true\n")] + "apiEnabled=false\n"
	}
	if err := os.WriteFile(filepath.Join(k.Home, "config/kwalletrc"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	k.launch(t)
	if state != None {
		k.Open() // makes the wallet; its collection is there after the next start
		k.Kill()
		waitFor(t, "kwalletd5 to be gone", func() bool { return ownerOf(t, address, kwalletName) == "" })
		k.launch(t)
	}
	return k
}

func (k *KWallet) launch(t testing.TB) {
	t.Helper()
	cmd := exec.Command("kwalletd5")
	cmd.Env = append(Env(k.Address, k.Home), "DISPLAY="+k.display.Name)
	k.Process = start(t, cmd)
	conn := Connect(t, k.Address) // a bus takes 256 of one user
	waitFor(t, "kwalletd5 to answer", func() bool {
		var enabled bool
		err := conn.Object(kwalletName, kwalletPath).Call("org.kde.KWallet.isEnabled", dbus.FlagNoAutoStart).Store(&enabled)
		return err == nil
	})
}

// Open opens the wallet with the key of its password, as pam_kwallet does at login.
func (k *KWallet) Open() {
	k.t.Helper()
	key := make([]byte, 56) // the size of the hash of a password
	for i := range key {
		key[i] = 'A'
	}
	conn := Connect(k.t, k.Address)
	object := conn.Object(kwalletName, kwalletPath)
	if err := object.Call("org.kde.KWallet.pamOpen", 0, wallet, key, int32(0)).Err; err != nil {
		k.t.Fatal(err)
	}
	var open bool
	if err := object.Call("org.kde.KWallet.isOpen", 0, wallet).Store(&open); err != nil || !open {
		k.t.Fatalf("the wallet is not open: %v", err)
	}
}

// Prompt unlocks the collection as a desktop program does that may ask: Unlock, and
// Prompt for what that returns.
func (k *KWallet) Prompt() {
	k.t.Helper()
	conn := Connect(k.t, k.Address)
	service := conn.Object(secretsName, secretsPath)
	var collection, prompt dbus.ObjectPath
	var unlocked []dbus.ObjectPath
	if err := service.Call("org.freedesktop.Secret.Service.ReadAlias", 0, "default").Store(&collection); err != nil {
		k.t.Fatal(err)
	}
	if err := service.Call("org.freedesktop.Secret.Service.Unlock", 0, []dbus.ObjectPath{collection}).Store(&unlocked, &prompt); err != nil {
		k.t.Fatal(err)
	}
	if prompt != "/" {
		if err := conn.Object(secretsName, prompt).Call("org.freedesktop.Secret.Prompt.Prompt", 0, "").Err; err != nil {
			k.t.Fatal(err)
		}
	}
	waitFor(k.t, "the collection to open", func() bool {
		locked, err := defaultLocked(k.t, k.Address)
		return err == nil && !locked
	})
}
