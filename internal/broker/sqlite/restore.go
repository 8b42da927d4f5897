package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Restore replaces the database at path by the state in the backup file from, in the epoch of
// the given name. No process may serve or open path until it returns. Nothing of the old
// database is changed before the rename that replaces it. The old one is kept under the name
// aside, if that is not empty. fs.ErrExist: aside exists already.
func Restore(ctx context.Context, from, path, aside, epoch string) error {
	temp, err := newDraft(filepath.Dir(path), ".restore-*.tmp")
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer temp.discard()
	err = copyInto(ctx, from, temp.path)
	if err == nil {
		err = change(ctx, temp.path, func(db *sql.DB) error { return unpack(ctx, db, epoch) })
	}
	if err := temp.finish(err); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := setAside(ctx, path, aside); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(temp.path, path); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// unpack begins the epoch, in which no account is open, and removes what the backup added and
// the set-up token of that time. The backup of an earlier version is migrated first, because a
// migration that runs later could take its accounts for open ones.
func unpack(ctx context.Context, db *sql.DB, epoch string) error {
	if err := migrate(ctx, db); err != nil {
		return err
	}
	for _, q := range []string{
		`UPDATE accounts SET epoch = ''`,
		`DELETE FROM meta WHERE key GLOB '` + carried + `*' OR key GLOB 'setup_*'`,
		`INSERT INTO meta (key, value) VALUES ('epoch', '` + epoch + `') ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// setAside gives the old database a second name. Its write-ahead log is written into it first.
// If that fails the log is moved too: SQLite would write a log that stays into the new database.
func setAside(ctx context.Context, path, aside string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_ = change(ctx, path, func(db *sql.DB) error { // fails for a damaged database
		_, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
		return err
	})
	if aside != "" {
		if err := os.Link(path, aside); err != nil {
			return err
		}
	}
	err := errors.Join(moveAway(path+"-wal", aside, "-wal"), moveAway(path+"-shm", "", ""))
	return errors.Join(err, syncDir(filepath.Dir(path)))
}

// moveAway renames a file to aside + end, or removes it if aside is empty.
func moveAway(path, aside, end string) error {
	var err error
	if aside != "" {
		err = os.Rename(path, aside+end)
	} else {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
