package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/session"
)

func TestOneBrokerAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatal(info, err)
	}
	unlock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); !errors.Is(err, datadir.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = d.Lock()
	if err != nil {
		t.Fatalf("after the first one: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryThatOthersMayRead(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Open(path); !errors.Is(err, datadir.ErrInsecure) {
		t.Error(err)
	}
}

func TestSetupToken(t *testing.T) {
	t.Parallel()
	d, err := datadir.Open(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	if token, err := d.SetupToken(); err != nil || !token.IsZero() {
		t.Fatal("a token before there is one", err)
	}
	want := session.NewToken()
	for range 2 {
		if err := d.WriteSetupToken(want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.SetupToken(); err != nil || !got.Equal(want) {
		t.Error("another token came back", err)
	}
	if info, err := os.Stat(d.SetupPath()); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if err := os.WriteFile(d.SetupPath(), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := d.SetupToken(); err != nil || !token.IsZero() {
		t.Error("a torn file is no token", err)
	}
	for range 2 {
		if err := d.RemoveSetupToken(); err != nil {
			t.Error(err)
		}
	}
}
