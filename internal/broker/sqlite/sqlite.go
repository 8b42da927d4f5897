// Package sqlite keeps the broker's state in one SQLite file: WAL, synchronous=FULL,
// strict tables, foreign keys. It implements broker.Store.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

//go:embed migrations/*.sql
var migrations embed.FS

const readers = 4 // connections

// Store is an open database. It is safe for concurrent use.
type Store struct {
	dir   string  // the directory of the file
	write *sql.DB // one connection, so that writers queue here and not in SQLite
	read  *sql.DB
}

// Open opens or makes the file at path, with mode 0600, and migrates its tables. Other
// processes may have it open: each migration runs in one transaction, under SQLite's write
// lock.
func Open(ctx context.Context, path string) (*Store, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{dir: filepath.Dir(path)}
	if s.write, err = connect(path, 1, "immediate"); err != nil {
		return nil, err
	}
	if s.read, err = connect(path, readers, "deferred", "query_only(1)"); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if err := migrate(ctx, s.write); err != nil {
		return nil, errors.Join(s.unwritable(err), s.Close())
	}
	s.Reserve()
	return s, nil
}

func connect(path string, connections int, txlock string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_txlock": {txlock}, "_pragma": append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)", "secure_delete(1)",
	}, pragmas...)}
	name := (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithVerbose(false), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// Close writes the write-ahead log into the file and closes it.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// Update implements broker.Store with BEGIN IMMEDIATE, so that no commit fails because of
// another writer.
func (s *Store) Update(ctx context.Context, f func(broker.Tx) error) error {
	return s.unwritable(run(ctx, s.write, f))
}

// View implements broker.Store.
func (s *Store) View(ctx context.Context, f func(broker.Tx) error) error {
	return run(ctx, s.read, f)
}

func run(ctx context.Context, db *sql.DB, f func(broker.Tx) error) (err error) {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if rollback := t.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	if err := f(tx{ctx: ctx, t: t}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// tx implements broker.Tx.
type tx struct {
	ctx context.Context
	t   *sql.Tx
}

// exec runs a statement; a violated unique constraint is broker.ErrTaken.
func (x tx) exec(query string, args ...any) error {
	_, err := x.t.ExecContext(x.ctx, query, args...)
	return translate(err)
}

// change is exec for a statement that must change exactly one row; otherwise it is broker.ErrNone.
func (x tx) change(query string, args ...any) error {
	res, err := x.t.ExecContext(x.ctx, query, args...)
	if err != nil {
		return translate(err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return translate(err)
	}
	if n != 1 {
		return broker.ErrNone
	}
	return nil
}

func translate(err error) error {
	var e *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return broker.ErrNone
	case errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
		return broker.ErrTaken
	case errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_READONLY:
		return &broker.Unwritable{Reason: protocol.ReadOnlyFault, Err: err}
	}
	return fmt.Errorf("query: %w", err)
}

// scanner is a row of either *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// list runs a query and scans every row.
func list[T any](x tx, scan func(scanner) (T, error), query string, args ...any) (out []T, err error) {
	rows, err := x.t.QueryContext(x.ctx, query, args...)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, translate(err)
		}
		out = append(out, v)
	}
	return out, translate(rows.Err())
}

// one runs a query for one row; broker.ErrNone if there is none.
func one[T any](x tx, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(x.t.QueryRowContext(x.ctx, query, args...))
	return v, translate(err)
}
