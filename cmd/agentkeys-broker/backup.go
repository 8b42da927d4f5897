package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// takenTLSKey is the name of the TLS key in a backup. With that key, a broker that moved to another
// machine is the same broker to every board.
const takenTLSKey = "tls_key"

// errHoldsAccounts: a restore would replace existing accounts.
var errHoldsAccounts = errors.New("the data directory holds accounts already, or a database that cannot be read")

type backupCommand struct {
	File string `arg:"" help:"The new file; one that is there is not replaced."`

	dataFlag
}

// Run writes a copy, also while a broker serves. It changes nothing in the data directory.
func (c *backupCommand) Run(at *call) error {
	err := c.run(at)
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Hinted(err, "give the --data DIR of a broker, and a FILE in a directory that exists")
	}
	return err
}

func (c *backupCommand) run(at *call) error {
	dir, err := datadir.Existing(c.Data)
	if err != nil {
		return err
	}
	full, err := filepath.Abs(c.File)
	if err != nil {
		return fmt.Errorf("look for %s: %w", c.File, err)
	}
	if err := mayMake(full); err != nil {
		return err
	}
	key, err := dir.CopyTLSKey()
	if err != nil {
		return err
	}
	take := map[string]string{}
	if !key.IsZero() {
		take[takenTLSKey] = key.Reveal()
	}
	if err := sqlite.Backup(at.ctx, dir.Database(), c.File, take); err != nil {
		return err
	}
	fmt.Fprintf(at.stdout, "%s\nkeep it as safe as %s: agentkeys-broker restore FILE --data DIR\n", c.File, c.Data)
	if info, err := os.Stat(c.File); err == nil && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintln(at.stdout, "the file system there keeps no modes: whoever gets at it can read the backup")
	}
	return nil
}

type restoreCommand struct {
	File string `arg:"" help:"What agentkeys-broker backup wrote."`

	dataFlag
	Replace bool `help:"Though DIR holds accounts; the database there is kept under another name."`
}

// Run restores a backup, in a new epoch, while no broker serves.
func (c *restoreCommand) Run(at *call) (err error) {
	ctx := at.ctx
	found, err := sqlite.Look(ctx, c.File)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	dir, warning, err := openData(c.Data)
	if err != nil {
		return err
	}
	if warning != "" {
		fmt.Fprintln(at.stdout, "warning:", warning)
	}
	unlock, err := dir.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	r := restore{dir: dir, from: c.File, found: found, out: at.stdout}
	return r.run(ctx, c.Replace)
}

// restore is one restore under the lock of its directory.
type restore struct {
	dir   datadir.Dir
	from  string
	found sqlite.Facts // in the backup
	out   io.Writer
}

func (r restore) run(ctx context.Context, replace bool) error {
	aside, err := r.aside(ctx, replace)
	if err != nil {
		return err
	}
	if err := r.bringKey(); err != nil {
		return err
	}
	epoch := broker.NewEpoch()
	if err := sqlite.Restore(ctx, r.from, r.dir.Database(), aside, epoch); err != nil {
		return err
	}
	err = r.dir.SetHighwater(datadir.Highwater{Version: 1, Epoch: epoch, Changes: r.found.Changes})
	if err := errors.Join(err, r.dir.RemoveSetupToken()); err != nil {
		return err
	}
	if aside != "" {
		fmt.Fprintln(r.out, "the database that was there:", aside)
	}
	fmt.Fprintf(r.out, "restored, with accounts: %d\nnow agentkeys-broker serve, and then, as each owner: agentkeys agents\n", r.found.Accounts)
	return nil
}

// aside is the name under which the current database is kept; empty: there is none, or one without
// accounts. errHoldsAccounts: it has accounts, and replace is not set.
func (r restore) aside(ctx context.Context, replace bool) (string, error) {
	path := r.dir.Database()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	present, err := sqlite.Look(ctx, path)
	if err == nil && present.Accounts == 0 {
		return "", nil
	}
	if !replace && err != nil {
		return "", fmt.Errorf("%s: %w: %w", path, errHoldsAccounts, err)
	}
	if !replace {
		return "", fmt.Errorf("%s: %w (%d, of %d changes; the backup has %d changes)", path, errHoldsAccounts, present.Accounts, present.Changes, r.found.Changes)
	}
	for n := 1; ; n++ {
		name := path + ".replaced-" + strconv.Itoa(n)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		} else if err != nil {
			return "", fmt.Errorf("look beside %s: %w", filepath.Base(path), err)
		}
	}
}

// bringKey writes the backup's TLS key if there is none. An existing key is kept.
func (r restore) bringKey() error {
	text := r.found.Carried[takenTLSKey]
	if text == "" {
		return nil
	}
	kept, err := r.dir.AddTLSKey(secret.New(text))
	if err != nil || !kept {
		return err
	}
	present, err := r.dir.CopyTLSKey()
	if err != nil {
		return err
	}
	if !present.Equal(secret.New(text)) {
		fmt.Fprintln(r.out, "the TLS key that is there stays, though the backup has another one:", r.dir.TLSKeyPath())
	}
	return nil
}
