package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotBroker: the file is no complete database of a broker. Nothing was changed.
var ErrNotBroker = errors.New("not a broker's database")

// carried is the prefix of the entries that a backup adds to its table meta.
const carried = "carried_"

// Facts are what Look finds in a database that no broker serves.
type Facts struct {
	Epoch    string
	Changes  int64 // from its mark (broker.Mark)
	Accounts int
	Carried  map[string]string // what Backup added
}

// Backup writes a consistent copy of the database at path to the new file at to, with mode
// 0600, durably. The database may be in use. The entries of take are stored in the copy; their
// values may be secret. fs.ErrExist: to exists, and was left alone. fs.ErrNotExist: there is no
// database at path. syscall.ENOSPC: the disk of to is full.
func Backup(ctx context.Context, path, to string, take map[string]string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	temp, err := newDraft(filepath.Dir(to), ".agentkeys-broker-*.tmp")
	if err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	defer temp.discard()
	err = copyInto(ctx, path, temp.path)
	if err == nil {
		err = change(ctx, temp.path, func(db *sql.DB) error { return pack(ctx, db, take) })
	}
	if err = temp.finish(err); err == nil {
		err = placeNew(temp.path, to)
	}
	var full *sqlite.Error
	if errors.As(err, &full) && full.Code()&0xff == sqlite3.SQLITE_FULL {
		err = &fs.PathError{Op: "write", Path: to, Err: syscall.ENOSPC}
	}
	if err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	return nil
}

// copyInto leaves the copy in rollback mode, so that it is one file without a write-ahead log.
func copyInto(ctx context.Context, path, to string) error {
	return change(ctx, path, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `VACUUM INTO ?`, to)
		return err
	})
}

// change opens an existing database, runs f on it and closes it.
func change(ctx context.Context, path string, f func(*sql.DB) error) error {
	q := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)", "synchronous(FULL)", "trusted_schema(0)", "secure_delete(1)"}}
	name := (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return errors.Join(f(db), db.Close())
}

func pack(ctx context.Context, db *sql.DB, take map[string]string) error {
	for key, value := range take {
		if _, err := db.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES (?, ?)`, carried+key, value); err != nil {
			return err
		}
	}
	return nil
}

// Look checks that the file at path is a complete database of a broker of this version or an
// earlier one, and returns what it holds. ErrNotBroker: it is not.
func Look(ctx context.Context, path string) (Facts, error) {
	var f Facts
	err := change(ctx, path, func(db *sql.DB) error {
		if err := check(ctx, db); err != nil {
			return err
		}
		return f.read(ctx, db)
	})
	if err != nil && !errors.Is(err, ErrNotBroker) {
		err = fmt.Errorf("%w: %w", ErrNotBroker, err)
	}
	return f, err
}

func check(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: it is damaged", ErrNotBroker)
	}
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		return err
	}
	var version int
	if err := db.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`).Scan(&version); err != nil {
		return err
	}
	if version < 1 || version > len(entries) {
		return fmt.Errorf("%w: it is of version %d, and this program knows %d", ErrNotBroker, version, len(entries))
	}
	return nil
}

func (f *Facts) read(ctx context.Context, db *sql.DB) (err error) {
	f.Carried = map[string]string{}
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM accounts`).Scan(&f.Accounts); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT key, value FROM meta`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		switch {
		case key == "epoch":
			f.Epoch = value
		case key == "changes":
			if f.Changes, err = strconv.ParseInt(value, 10, 64); err != nil {
				return err
			}
		case len(key) > len(carried) && key[:len(carried)] == carried:
			f.Carried[key[len(carried):]] = value
		}
	}
	return rows.Err()
}
