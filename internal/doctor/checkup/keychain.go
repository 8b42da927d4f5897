package checkup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/words"
)

// opened is a slot's store, keychain and session, as far as they could be opened.
type opened struct {
	store   *store.Store // nil: it could not be set up
	probe   store.Probe
	session *session.Session      // nil: not read
	named   protocol.StatusBroker // in the settings; without a URL: none
}

// broker is the broker that is named, else the one that the session remembers.
func (p opened) broker() protocol.StatusBroker {
	if p.session == nil {
		return p.named
	}
	if _, url := p.session.At(p.named.URL); p.named.URL == "" || url != p.named.URL {
		return protocol.StatusBroker{URL: url, From: protocol.BrokerOfSession}
	}
	return p.named
}

// token is what the session sends to its broker; zero: nothing. A token that may have been replaced by
// a renewal, which only the daemon finds out, is not sent.
func (p opened) token() secret.String {
	if p.session == nil || !p.session.Next.IsZero() {
		return secret.String{}
	}
	if s, _ := p.session.At(p.named.URL); s.Ended != nil {
		return secret.String{}
	}
	return p.session.Token
}

// lookAtKeychain opens the store as the settings say and probes the keychain once. In file mode, and if
// the settings have problems, there is no keychain adapter.
func (m *machine) lookAtKeychain(ctx context.Context, f *doctor.Facts, set settings.Settings, problems bool) *opened {
	p := &opened{probe: store.Probe{State: words.KeychainDisabled}}
	cfg := store.Config{Home: m.home, Mode: set.SessionStore, KeychainTimeout: set.KeychainTimeout, SlotUser: m.slotUser()}
	if j := m.cfg.Journal; j != nil {
		cfg.FileLimit = j.FileLimit
	}
	f.Keychain.Why = "session_store is file (" + f.Settings.StoreFrom + ")"
	if cfg.SlotUser != nil && cfg.Mode == words.ModeAuto {
		cfg.Mode = words.ModeFile
		f.Keychain.Why = "root works on slots of " + m.home + ", whose users have keychains of their own, if any"
	}
	if cfg.Mode != words.ModeFile {
		k := keychain.New(keychain.Config{Timeout: set.KeychainTimeout, Env: m.cfg.Getenv})
		p.probe, cfg.Keychain, f.Keychain.Why = k.ProbeNow(ctx), k, ""
	}
	f.Keychain.State, f.Keychain.Provider, f.Keychain.Reason = p.probe.State, p.probe.Provider, p.probe.Reason
	if p.probe.Provider == keyringProvider {
		f.Keychain.Cipher = m.keyringCipher()
	}
	if problems {
		f.Keychain = doctor.Keychain{Why: "the settings were not understood"}
	}
	s, err := store.New(cfg)
	if err == nil {
		p.store = s
	}
	return p
}

const (
	keyringProvider = words.ProviderGnome
	keyringPlain    = "[keyring]"    // first line of a keyring without a password
	keyringCrypted  = "GnomeKeyring" // first bytes of one with a password
)

// keyringCipher reads the first bytes of gnome-keyring's collection. Only they tell a keyring without a
// password from one that a person has unlocked.
func (m *machine) keyringCipher() string {
	dir := m.cfg.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(m.cfg.Getenv("HOME"), ".local", "share")
	}
	dir = filepath.Join(dir, "keyrings")
	start, err := firstBytes(filepath.Join(dir, "login.keyring"))
	if err != nil {
		name, err := firstBytes(filepath.Join(dir, "default"))
		if err != nil || strings.ContainsRune(string(name), '/') {
			return ""
		}
		if start, err = firstBytes(filepath.Join(dir, strings.TrimSpace(string(name))+".keyring")); err != nil {
			return ""
		}
	}
	switch {
	case bytes.HasPrefix(start, []byte(keyringPlain)):
		return doctor.CipherNone
	case bytes.HasPrefix(start, []byte(keyringCrypted)):
		return doctor.CipherPassword
	}
	return ""
}

// firstBytes opens regular files only, because opening a FIFO would block.
func firstBytes(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fs.ErrInvalid, err)
	}
	start := make([]byte, 64)
	n, err := io.ReadFull(f, start)
	if n > 0 {
		err = nil
	}
	return start[:n], err
}
