package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
)

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	brokertest.Conformance(t, func(t testing.TB) broker.Store {
		return open(t, filepath.Join(t.TempDir(), "broker.db"))
	})
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a directory with ? and %", "broker.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if err := s.Update(t.Context(), func(tx broker.Tx) error { return tx.SetMeta("k", "v") }); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f.Name(), info.Mode(), err)
		}
	}
}

// A broker with years of rows finds those of yesterday without a look at the others.
func TestRowsSinceATimeAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "broker.db")
	open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // nothing was written
	var id, parent, unused int
	var plan string
	if err := db.QueryRow("EXPLAIN QUERY PLAN "+sqlite.FirstSince, "0x", 1).Scan(&id, &parent, &unused, &plan); err != nil {
		t.Fatal(err)
	}
	if plan != "SEARCH audit USING COVERING INDEX audit_time (account=? AND time>?)" {
		t.Error(plan)
	}
}

func TestAViewWritesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "broker.db"))
	if err := s.View(t.Context(), func(tx broker.Tx) error { return tx.SetMeta("k", "v") }); err == nil {
		t.Error("a view could write")
	}
}

func TestTwoProcessesOpenOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "broker.db")
	a, b := open(t, path), open(t, path)
	if err := a.Update(t.Context(), func(tx broker.Tx) error { return tx.SetMeta("k", "v") }); err != nil {
		t.Fatal(err)
	}
	err := b.View(t.Context(), func(tx broker.Tx) error { _, err := tx.Meta("k"); return err })
	if err != nil || errors.Is(err, broker.ErrNone) {
		t.Error(err)
	}
}

func TestNotADatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "broker.db")
	if err := os.WriteFile(path, []byte("this is a text that is long enough to be taken for a header of some file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := sqlite.Open(t.Context(), path); err == nil {
		t.Error("garbage was opened", s.Close())
	}
}
