package datadir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/secret"
)

func TestHighwater(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := d.Highwater(); h != nil || err != nil {
		t.Fatalf("before there is one: %+v %v", h, err)
	}
	want := datadir.Highwater{Version: 1, Epoch: "e1", Changes: 7}
	if err := d.SetHighwater(want); err != nil {
		t.Fatal(err)
	}
	if h, err := d.Highwater(); err != nil || h == nil || *h != want {
		t.Fatalf("%+v %v", h, err)
	}
	file := filepath.Join(path, "highwater")
	for name, text := range map[string]string{
		"empty": "", "torn": `{"version":1,"ep`, "of another version": `{"version":2,"epoch":"e1","changes":7}`,
		"with a field that is not known": `{"version":1,"epoch":"e1","changes":7,"x":1}`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if h, err := d.Highwater(); err != nil || h == nil || h.Epoch != "" {
			t.Errorf("%s: it is no mark of any database: %+v %v", name, h, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", file); err != nil {
		t.Fatal(err)
	}
	if h, err := d.Highwater(); err != nil || h == nil || h.Epoch != "" {
		t.Errorf("a link: %+v %v", h, err)
	}
}

func TestTheTLSKeyOfABackup(t *testing.T) {
	t.Parallel()
	from, to := opened(t), opened(t)
	if key, err := from.CopyTLSKey(); err != nil || !key.IsZero() {
		t.Fatal("a key before there is one", err)
	}
	if _, err := from.TLSKey(); err != nil {
		t.Fatal(err)
	}
	text, err := from.CopyTLSKey()
	if err != nil || text.IsZero() {
		t.Fatal(err)
	}
	if _, err := to.AddTLSKey(secret.New("no key")); err == nil {
		t.Error("took what is no key")
	}
	for i, want := range []bool{false, true} {
		if kept, err := to.AddTLSKey(text); err != nil || kept != want {
			t.Errorf("time %d: kept %v, %v", i+1, kept, err)
		}
	}
	if got, err := to.CopyTLSKey(); err != nil || !got.Equal(text) {
		t.Error("another key came back", err)
	}
	if info, err := os.Stat(to.TLSKeyPath()); err != nil || info.Mode() != 0o600 {
		t.Error(info, err)
	}
}
