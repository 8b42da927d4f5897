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

// Restore puts the state of the backup file from in the place of the database at path,
// in the epoch of that name. Nobody may serve or open path meanwhile. Before the one
// rename that does it, nothing of the old database is changed; aside, if not empty, is
// the name under which it stays. fs.ErrExist: there is such a name already.
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

// unpack begins the epoch, in which no account is open, and forgets what the backup took
// along and the set-up token of its day. A backup of an earlier version is brought up to
// this one first: a migration that ran later could take its accounts for open ones.
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

// setAside gives the old database a second name. Its log is written into it first, and
// where that fails goes with it: a log beside another database would be written into that.
func setAside(ctx context.Context, path, aside string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_ = change(ctx, path, func(db *sql.DB) error { // a damaged one cannot
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

// moveAway renames a file to aside and end, or removes it where aside is empty.
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
