package store_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// bare is what earlier versions and other programs wrote: five fields.
func bare(w wallet.Wallet, token string, createdAt string) string {
	return `{"token":"` + token + `","wallet":"` + w.String() + `","scope":null,"created_at":` + createdAt + `,"ttl_seconds":2592000}`
}

func TestEntriesOfOtherProgramsAreAdopted(t *testing.T) {
	t.Parallel()
	w := wallet.New()
	text := bare(w, "token-of-another-program", "1700000000")
	for name, c := range map[string]struct {
		id      session.ID
		account string
		value   string
		state   words.KeychainState
		backend words.Backend
	}{
		"bare JSON":             {session.DaemonID(w), "daemon-" + w.String(), text, words.KeychainUnlocked, words.BackendKeychain},
		"go-keyring base64":     {session.DaemonID(w), "daemon-" + w.String(), "go-keyring-base64:" + base64.StdEncoding.EncodeToString([]byte(text)), words.KeychainUnlocked, words.BackendKeychain},
		"go-keyring hex":        {session.DaemonID(w), "daemon-" + w.String(), "go-keyring-encoded:" + hex.EncodeToString([]byte(text)), words.KeychainUnlocked, words.BackendKeychain},
		"a keychain that asks":  {session.DaemonID(w), "daemon-" + w.String(), text, words.KeychainPromptsOnWrite, words.BackendFile},
		"earlier master entry":  {session.Master(), "session", text, words.KeychainUnlocked, words.BackendKeychain},
		"master under its name": {session.Master(), "master", text, words.KeychainUnlocked, words.BackendKeychain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := storetest.NewKeyring()
			ring.Set(c.account, c.value)
			ring.SetState(c.state)
			s := open(t, store.Config{Keychain: ring.Client(nil)})
			for range 2 {
				v, info, err := s.Load(t.Context(), c.id)
				if err != nil || v.Token.Reveal() != "token-of-another-program" || v.CanServe() {
					t.Fatalf("load: %+v, %v", info, err)
				}
				if info.Generation == 0 || info.Backend != c.backend {
					t.Fatalf("adopted as %+v, want %s", info, c.backend)
				}
			}
			if _, left := ring.Items()["session"]; left {
				t.Error("the old copy is still there")
			}
		})
	}
}

func TestFilesOfEarlierVersionsAreAdopted(t *testing.T) {
	t.Parallel()
	w := wallet.New()
	for name, c := range map[string]struct {
		file string
		id   session.ID
		want error
	}{
		"master":                   {"session.json", session.Master(), nil},
		"daemon":                   {"session", session.DaemonID(w), nil},
		"daemon of another wallet": {"session", session.DaemonID(wallet.New()), store.ErrNoSession},
		"daemon's file for master": {"session", session.Master(), store.ErrNoSession},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, store.Config{Mode: words.ModeFile})
			path := filepath.Join(s.Home(), c.file)
			must(t, os.Mkdir(s.Home(), 0o700), os.WriteFile(path, []byte(bare(w, "old", "1700000000")+"\n"), 0o600))
			_, info, err := s.Load(t.Context(), c.id)
			_, statErr := os.Stat(path)
			switch {
			case !errors.Is(err, c.want):
				t.Fatalf("load: %v, want %v", err, c.want)
			case c.want != nil && statErr != nil:
				t.Fatalf("another's file is gone: %v", statErr)
			case c.want == nil && (info.Generation != 1 || !errors.Is(statErr, fs.ErrNotExist)):
				t.Fatalf("adopted as %+v, old copy: %v", info, statErr)
			}
		})
	}
}

func TestEarlierCopiesThatAreNotNothing(t *testing.T) {
	t.Parallel()
	w := wallet.New()
	daemon := session.DaemonID(w)
	for name, c := range map[string]struct {
		prepare func(t *testing.T, home string, ring *storetest.Keyring)
		id      session.ID
		want    error
	}{
		"readable by others": {func(t *testing.T, home string, _ *storetest.Keyring) {
			must(t, os.WriteFile(filepath.Join(home, "session"), []byte(bare(w, "old", "1")), 0o644))
		}, daemon, store.ErrInsecure},
		"garbage in the file": {func(t *testing.T, home string, _ *storetest.Keyring) {
			must(t, os.WriteFile(filepath.Join(home, "session.json"), []byte("garbage"), 0o600))
		}, session.Master(), store.ErrCorrupt},
		"garbage in the keychain": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.Set(daemon.String(), "garbage")
		}, daemon, store.ErrInconsistent},
		"our entry, but no head": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.Set(daemon.String(), "ak1.7.e30")
		}, daemon, store.ErrInconsistent},
		"locked keychain, a wallet's slot": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.SetState(words.KeychainLocked)
		}, daemon, store.ErrUnavailable},
		"locked keychain, another slot": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.SetState(words.KeychainLocked)
		}, session.Master(), store.ErrNoSession},
		"no session bus, a wallet that was never here": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.SetState(words.KeychainNoBus)
		}, daemon, store.ErrNoSession},
		"no keychain runs, a wallet that was never here": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.SetState(words.KeychainNoOwner)
		}, daemon, store.ErrNoSession},
		"a keychain without a collection": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.SetState(words.KeychainNoCollection)
		}, daemon, store.ErrNoSession},
		"a keychain that refuses this program": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.SetState(words.KeychainDenied)
		}, daemon, store.ErrNoSession},
		"a keychain that hangs": {func(_ *testing.T, _ string, ring *storetest.Keyring) {
			ring.SetFault(func(storetest.Operation) storetest.Fault { return storetest.FaultHang })
		}, daemon, store.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := storetest.NewKeyring()
			s := open(t, store.Config{Keychain: ring.Client(nil)})
			must(t, os.Mkdir(s.Home(), 0o700))
			c.prepare(t, s.Home(), ring)
			before := snapshot(t, s.Home())
			for range 2 {
				wantLoadError(t, s, c.id, c.want)
			}
			if after := snapshot(t, s.Home()); after != before {
				t.Errorf("load changed the home:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func TestTheNewerOfTwoEarlierCopiesWins(t *testing.T) {
	t.Parallel()
	ring, w := storetest.NewKeyring(), wallet.New()
	s := open(t, store.Config{Keychain: ring.Client(nil)})
	must(t, os.Mkdir(s.Home(), 0o700),
		os.WriteFile(filepath.Join(s.Home(), "session.json"), []byte(bare(w, "older", "1700000000")), 0o600))
	ring.Set("session", bare(w, "newer", "1700000001"))
	v, _, err := s.Load(t.Context(), session.Master())
	if err != nil || v.Token.Reveal() != "newer" {
		t.Fatalf("load: %v", err)
	}
}

func TestDeleteTakesAnEarlierCopyToo(t *testing.T) {
	t.Parallel()
	ring, w := storetest.NewKeyring(), wallet.New()
	id := session.DaemonID(w)
	s := open(t, store.Config{Keychain: ring.Client(nil)})
	ring.Set(id.String(), bare(w, "old", "1700000000"))
	must(t, s.Delete(t.Context(), id))
	wantLoadError(t, s, id, store.ErrNoSession)
	if n := len(ring.Items()); n != 0 {
		t.Fatalf("%d entries left", n)
	}
	ring.Set(id.String(), bare(w, "old", "1700000000")) // a late write of that program
	wantLoadError(t, s, id, store.ErrNoSession)
}
