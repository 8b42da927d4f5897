package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// filled is a database with one key in its table meta, open.
func filled(t *testing.T, value string) (store *sqlite.Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "broker.db")
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	put(t, store, "key", value)
	return store, path
}

func put(t *testing.T, store *sqlite.Store, key, value string) {
	t.Helper()
	if err := store.Update(context.Background(), func(tx broker.Tx) error { return tx.SetMeta(key, value) }); err != nil {
		t.Error(err)
	}
}

func meta(t *testing.T, path, key string) string {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var value string
	err = store.View(t.Context(), func(tx broker.Tx) error {
		value, err = tx.Meta(key)
		if errors.Is(err, broker.ErrNone) {
			return nil
		}
		return err
	})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestABackupIsOneStateWhileOthersWrite(t *testing.T) {
	t.Parallel()
	store, path := filled(t, "0")
	put(t, store, "twin", "0")
	stop, wrote := make(chan struct{}), sync.WaitGroup{}
	wrote.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = store.Update(context.Background(), func(tx broker.Tx) error {
				return errors.Join(tx.SetMeta("key", fmt.Sprint(n)), tx.SetMeta("twin", fmt.Sprint(n)))
			})
		}
	})
	for n := range 5 {
		to := filepath.Join(t.TempDir(), fmt.Sprint(n))
		if err := sqlite.Backup(t.Context(), path, to, map[string]string{"tls_key": "pem"}); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(to); err != nil || info.Mode() != 0o600 {
			t.Error(info, err)
		}
		facts, err := sqlite.Look(t.Context(), to)
		if err != nil || !cmp.Equal(facts.Carried, map[string]string{"tls_key": "pem"}) {
			t.Errorf("%+v %v", facts, err)
		}
		if key, twin := meta(t, to, "key"), meta(t, to, "twin"); key != twin || key == "" {
			t.Errorf("half a transaction: %s and %s", key, twin)
		}
	}
	close(stop)
	wrote.Wait()
}

func TestABackupReplacesNothingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	_, path := filled(t, "1")
	dir := t.TempDir()
	to := filepath.Join(dir, "backup")
	if err := os.WriteFile(to, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Backup(t.Context(), path, to, nil); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if err := sqlite.Backup(t.Context(), filepath.Join(dir, "no.db"), filepath.Join(dir, "other"), nil); err == nil {
		t.Error("a backup of nothing")
	}
	entries, err := os.ReadDir(dir)
	if data, _ := os.ReadFile(to); err != nil || len(entries) != 1 || string(data) != "precious" {
		t.Errorf("%v %v %q", entries, err, data)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	store, path := filled(t, "of the backup")
	put(t, store, "setup_sha256", "old")
	backup := filepath.Join(t.TempDir(), "backup")
	if err := sqlite.Backup(t.Context(), path, backup, map[string]string{"tls_key": "pem"}); err != nil {
		t.Fatal(err)
	}
	put(t, store, "key", "newer")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	aside := path + ".replaced-1"
	if err := sqlite.Restore(t.Context(), backup, path, aside, "e2"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"key": "of the backup", "epoch": "e2", "setup_sha256": "", "carried_tls_key": ""}
	for key, value := range want {
		if got := meta(t, path, key); got != value {
			t.Errorf("%s is %q, want %q", key, got, value)
		}
	}
	if got := meta(t, aside, "key"); got != "newer" {
		t.Errorf("set aside: %q", got)
	}
	if data, err := os.ReadFile(path); err != nil || strings.Contains(string(data), "pem") {
		t.Error("the key that was taken along is in the database", err)
	}
	if err := sqlite.Restore(t.Context(), backup, path, aside, "e3"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the one that was set aside would be replaced: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".restore-*")); len(left) > 0 || meta(t, path, "epoch") != "e2" {
		t.Error("changed, or left behind:", left)
	}
}

// A broker that was killed leaves a log; it must not be written into what is restored.
func TestRestoreOverALog(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"of a whole database":   func(string) error { return nil },
		"of a damaged database": func(path string) error { return os.WriteFile(path, []byte("not a database"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, path := filled(t, "of the backup")
			backup := filepath.Join(t.TempDir(), "backup")
			if err := sqlite.Backup(t.Context(), path, backup, nil); err != nil {
				t.Fatal(err)
			}
			for n := range 50 {
				put(t, store, "key", fmt.Sprint("newer ", n))
			}
			dead := filepath.Join(t.TempDir(), "broker.db")
			for _, end := range []string{"", "-wal"} { // as a power cut leaves them
				data, err := os.ReadFile(path + end)
				if err != nil || os.WriteFile(dead+end, data, 0o600) != nil {
					t.Fatal(err)
				}
			}
			if err := harm(dead); err != nil {
				t.Fatal(err)
			}
			aside := dead + ".replaced-1"
			if err := sqlite.Restore(t.Context(), backup, dead, aside, "e2"); err != nil {
				t.Fatal(err)
			}
			if got := meta(t, dead, "key"); got != "of the backup" {
				t.Errorf("restored: %q", got)
			}
			if _, err := os.Stat(aside); err != nil {
				t.Error(err)
			}
			if name == "of a whole database" && meta(t, aside, "key") != "newer 49" {
				t.Error("the log of the old one is lost")
			}
		})
	}
}

func TestWhatIsNoBrokersDatabase(t *testing.T) {
	t.Parallel()
	store, path := filled(t, "1")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "a text": []byte("hello, this is a text that is long enough to be no header of SQLite at all"),
		"cut off": whole[:len(whole)/2], "zeros": make([]byte, len(whole)),
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Look(t.Context(), file); !errors.Is(err, sqlite.ErrNotBroker) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sqlite.Look(t.Context(), filepath.Join(t.TempDir(), "absent")); !errors.Is(err, sqlite.ErrNotBroker) {
		t.Error(err)
	}
}

// olderDatabase is one of before accounts had an epoch, with one account.
func olderDatabase(t *testing.T) (path string, account wallet.Wallet) {
	t.Helper()
	store, path := filled(t, "1")
	put(t, store, "epoch", "e1")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	account = wallet.New()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`ALTER TABLE accounts DROP COLUMN epoch`, `DROP INDEX audit_time`, `DELETE FROM goose_db_version WHERE version_id >= 2`,
		`INSERT INTO accounts (account, recipient, signing_key, created_at) VALUES ('` + account.String() + `', 'r', 'k', 1)`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path, account
}

// epochOf is the epoch in which the account is open.
func epochOf(t *testing.T, path string, account wallet.Wallet) string {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var a broker.Account
	err = store.View(t.Context(), func(tx broker.Tx) error {
		a, err = tx.Account(account)
		return err
	})
	if err = errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	return a.Epoch
}

// A database from before accounts had an epoch is opened as it was, since it was not restored.
func TestAnOlderDatabaseStaysOpen(t *testing.T) {
	t.Parallel()
	path, account := olderDatabase(t)
	if got := epochOf(t, path, account); got != "e1" {
		t.Errorf("open in %q", got)
	}
}

// One that is put back waits for its owners as any other.
func TestAnOlderDatabaseThatIsPutBackIsNotOpen(t *testing.T) {
	t.Parallel()
	from, account := olderDatabase(t)
	path := filepath.Join(t.TempDir(), "broker.db")
	if err := sqlite.Restore(t.Context(), from, path, "", "e2"); err != nil {
		t.Fatal(err)
	}
	if got := epochOf(t, path, account); got != "" {
		t.Errorf("open in %q", got)
	}
}
