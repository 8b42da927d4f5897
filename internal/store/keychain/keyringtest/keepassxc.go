package keyringtest

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/test/needs"
)

const keepassName = "org.keepassxc.KeePassXC.MainWindow"

// KeePassXC is a real one, with a database of its own on a private bus and display.
type KeePassXC struct {
	Address string
	Home    string
	*Process
}

// Entry is what a KeePassXC database holds from the start.
type Entry struct{ Account, Value string }

// keepassConfig turns the Secret Service on. %t: ask a person before a program may
// read an entry, which is KeePassXC's own default.
const keepassConfig = `[General]
ConfigVersion=2
UpdateCheckMessageShown=true
[GUI]
CheckForUpdates=false
[FdoSecrets]
Enabled=true
ShowNotification=false
ConfirmAccessItem=%t
`

// StartKeePassXC starts one whose database is open, or locked in state Locked, and
// waits until the collection and the window's last title are to be seen.
func StartKeePassXC(t testing.TB, address string, display *Display, state State, confirm bool, entries ...Entry) *KeePassXC {
	t.Helper()
	needs.Programs(t, "keepassxc", "keepassxc-cli")
	home := Dir(t)
	for _, dir := range []string{"config/keepassxc", "cache", "data", "run"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(home, "config/keepassxc/keepassxc.ini"), fmt.Appendf(nil, keepassConfig, confirm), 0o600); err != nil {
		t.Fatal(err)
	}
	k := &KeePassXC{Address: address, Home: home}
	makeDatabase(t, k, entries)
	cmd := exec.Command("keepassxc", k.database())
	if state != Locked {
		cmd.Args = append(cmd.Args, "--pw-stdin")
		cmd.Stdin = strings.NewReader(Password + "\n")
	}
	// One instance for each user name and TMPDIR; a second would hand its database to the first.
	cmd.Env = append(Env(address, home), "DISPLAY="+display.Name, "TMPDIR="+filepath.Join(home, "run"), "USER="+filepath.Base(home))
	k.Process = start(t, cmd)
	waitFor(t, "KeePassXC's collection", func() bool {
		locked, err := defaultLocked(t, address)
		return err == nil && locked == (state == Locked)
	})
	waitFor(t, "KeePassXC's window", func() bool {
		return slices.Contains(display.Titles(), ownWindow)
	})
	return k
}

const ownWindow = "KeePassXC's own"

// Titles are the windows; the title of KeePassXC's own, which changes when it locks, is always
// the same.
func (d *Display) Titles() []string {
	d.t.Helper()
	windows := d.Windows()
	for i, title := range windows {
		if strings.HasPrefix(title, "agents") && strings.HasSuffix(title, " - KeePassXC") {
			windows[i] = ownWindow
		}
	}
	return windows
}

func (k *KeePassXC) database() string { return filepath.Join(k.Home, "agents.kdbx") }

// Lock locks the database, as a person would.
func (k *KeePassXC) Lock() {
	k.t.Helper()
	conn := Connect(k.t, k.Address)
	if err := conn.Object(keepassName, "/keepassxc").Call(keepassName+".lockAllDatabases", 0).Err; err != nil {
		k.t.Fatal(err)
	}
	waitFor(k.t, "KeePassXC to lock", func() bool {
		locked, err := defaultLocked(k.t, k.Address)
		return err != nil || locked
	})
}

// Show is the password of an entry, read from the database file by keepassxc-cli.
func (k *KeePassXC) Show(account string) string {
	k.t.Helper()
	out := Run(k.t, append(Env(k.Address, k.Home), "QT_QPA_PLATFORM=offscreen"), Password+"\n",
		"keepassxc-cli", "show", "-q", "-s", "-a", "password", k.database(), title(account))
	return strings.TrimSuffix(out, "\n")
}

// List is everything in the database file.
func (k *KeePassXC) List() string {
	k.t.Helper()
	return Run(k.t, append(Env(k.Address, k.Home), "QT_QPA_PLATFORM=offscreen"), Password+"\n",
		"keepassxc-cli", "ls", "-q", "-R", k.database())
}

func title(account string) string { return "agentkeys " + account }

// makeDatabase imports one, because only there can the group be named that the
// Secret Service shows; a person does that in the database's settings.
func makeDatabase(t testing.TB, k *KeePassXC, entries []Entry) {
	t.Helper()
	const group = "{00112233-4455-6677-8899-aabbccddeeff}"
	uuid := func(last byte) string {
		return base64.StdEncoding.EncodeToString([]byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, last})
	}
	var items strings.Builder
	for i, e := range entries {
		fmt.Fprintf(&items, `<Entry><UUID>%s</UUID>
<String><Key>Title</Key><Value>%s</Value></String>
<String><Key>Password</Key><Value ProtectInMemory="True">%s</Value></String>
<String><Key>service</Key><Value>agentkeys</Value></String>
<String><Key>username</Key><Value>%s</Value></String></Entry>
`, uuid(byte(i)), title(e.Account), e.Value, e.Account)
	}
	xml := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<KeePassFile><Meta><Generator>KeePassXC</Generator><DatabaseName>agents</DatabaseName>
<CustomData><Item><Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>%s</Value></Item></CustomData></Meta>
<Root><Group><UUID>%s</UUID><Name>Root</Name>%s</Group></Root></KeePassFile>
`, group, uuid(0xff), items.String())
	source := filepath.Join(k.Home, "agents.xml")
	if err := os.WriteFile(source, []byte(xml), 0o600); err != nil {
		t.Fatal(err)
	}
	Run(t, append(Env(k.Address, k.Home), "QT_QPA_PLATFORM=offscreen"), Password+"\n"+Password+"\n",
		"keepassxc-cli", "import", "-q", "-p", source, k.database())
}

// defaultLocked reads the collection behind the alias `default`.
func defaultLocked(t testing.TB, address string) (bool, error) {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	var path dbus.ObjectPath
	call := conn.Object(secretsName, secretsPath).Call("org.freedesktop.Secret.Service.ReadAlias", dbus.FlagNoAutoStart, "default")
	if err := call.Store(&path); err != nil {
		return false, err
	}
	v, err := conn.Object(secretsName, path).GetProperty("org.freedesktop.Secret.Collection.Locked")
	if err != nil {
		return false, err
	}
	locked, _ := v.Value().(bool)
	return locked, nil
}
