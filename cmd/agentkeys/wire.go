package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// slots opens the session store of this user. In file mode there is no keychain adapter, and so no
// D-Bus connection and no child process.
func (a *app) slots() (*store.Store, error) {
	home, err := paths.Home(a.getenv, os.Geteuid())
	if err != nil {
		return nil, err
	}
	mode, err := store.ParseMode(a.getenv("AGENTKEYS_SESSION_STORE"))
	if err != nil {
		return nil, err
	}
	timeout, err := keychainTimeout(a.getenv)
	if err != nil {
		return nil, err
	}
	if mode == words.ModeAuto && paths.Foreign(home, os.Geteuid()) {
		mode = words.ModeFile // root cannot reach another user's keychain
	}
	cfg := store.Config{Home: home, Mode: mode, KeychainTimeout: timeout, Logger: a.log, FileLimit: owner.KnownFileLimit}
	if mode != words.ModeFile {
		cfg.Keychain = keychain.New(keychain.Config{Env: a.getenv, Logger: a.log, Timeout: timeout})
	}
	return store.New(cfg)
}

// keychainTimeout is the deadline of one keychain operation; 0 is the default.
func keychainTimeout(getenv func(string) string) (time.Duration, error) {
	const name = "AGENTKEYS_KEYCHAIN_TIMEOUT"
	text := getenv(name)
	if text == "" {
		return 0, nil
	}
	d, err := settings.ParseKeychainTimeout(text)
	if err != nil {
		return 0, cli.Usage(name+": "+err.Error(), "unset "+name)
	}
	return d, nil
}

func (a *app) config() (owner.Config, error) {
	id, err := a.sessionID()
	if err != nil {
		return owner.Config{}, err
	}
	if err := a.mayMake(); err != nil {
		return owner.Config{}, err
	}
	s, err := a.slots()
	if err != nil {
		return owner.Config{}, err
	}
	broker, err := a.broker()
	if err != nil {
		return owner.Config{}, err
	}
	return owner.Config{ID: id, BrokerURL: broker, Slots: s, Dial: dial, Now: time.Now, Log: a.log, Reopened: a.reopened, Warn: a.warn}, nil
}

// broker is the URL that was named, in its one form; empty: none was.
func (a *app) broker() (string, error) {
	if a.global.Broker == "" {
		return "", nil
	}
	url, err := brokerclient.CanonicalURL(a.global.Broker)
	if err != nil {
		return "", fmt.Errorf("broker: %w", err)
	}
	return url, nil
}

// mayMake refuses to let root work in another user's home, which sudo has kept.
func (a *app) mayMake() error {
	err := paths.MayMake(a.getenv, os.Geteuid())
	var others *paths.OthersHomeError
	if errors.As(err, &others) {
		return cli.Usage(err.Error(), others.Command(a.getenv, a.args))
	}
	return err
}

// tryHome refuses to create or open an account if the home's file system cannot keep its keys, and
// warns of one that will not keep them for long.
func (a *app) tryHome() error {
	if err := a.mayMake(); err != nil {
		return err
	}
	s, err := a.slots()
	if err != nil {
		return err
	}
	look, err := checkup.TryHome(s, a.getenv)
	if err != nil && look.Hint != "" {
		return cli.Hinted(err, look.Hint)
	}
	if a.warnings = look.Warnings; a.global.JSON {
		return err // the warnings are part of the answer
	}
	for _, text := range look.Warnings {
		a.warn(text)
	}
	return err
}

// deviceBroker is the broker that the settings of an agent on this machine name, as its daemon reads
// them; empty: none.
func (a *app) deviceBroker(w wallet.Wallet) (string, error) {
	src := settings.Source{
		Wallet: w.String(), Dir: paths.ConfigDir(a.getenv), Getenv: a.getenv, Flags: map[string]string{},
		ReadFile: settings.ReadFile, CanonicalURL: brokerclient.CanonicalURL,
	}
	if a.global.Broker != "" {
		src.Flags["broker"] = a.global.Broker
	}
	set, _, err := settings.Load(src)
	var unread *settings.UnreadableError
	if errors.As(err, &unread) {
		return "", fmt.Errorf("read the agent's settings: %w", unread.Err) // not a mistake in what was typed
	}
	return set.Broker, err
}

func dial(brokerURL string) (owner.Broker, error) {
	return brokerclient.New(brokerclient.Config{URL: brokerURL, Version: buildinfo.Version()})
}

// owner opens the owner's account, for commands that only an owner may use.
func (a *app) owner() (*owner.Owner, error) {
	if a.global.walletFlag {
		return nil, cli.Usage("--wallet names a daemon, and is for read, list and run", "agentkeys COMMAND --agent IDENTITY")
	}
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	if _, agent := cfg.ID.Wallet(); agent {
		return nil, owner.ErrNotOwner
	}
	a.reconcile(cfg.ID)
	return owner.Open(a.ctx, cfg)
}

// reconcile finishes what an earlier command had to leave: a fence whose provider has ended, an
// unconfirmed delete, a session that waits for its keychain. No daemon does this for the owner's
// slot. If nothing is to be done it costs one small read.
func (a *app) reconcile(id session.ID) {
	s, err := a.slots()
	if err == nil {
		err = s.ReconcileSlot(a.ctx, id)
	}
	if err != nil {
		a.log.Warn("slot not settled", "session_id", id.String(), "error", err)
	}
}

// daemon is the client of the daemon of w. It waits for a daemon that is being restarted.
func (a *app) daemon(w wallet.Wallet) *localclient.Client {
	return localclient.NewPatient(func() (path string, coming bool, err error) {
		home, homeless := paths.Home(a.getenv, os.Geteuid())
		if path, ok := paths.FindSocket(a.getenv, home, w); ok {
			return path, false, nil
		}
		path, err = a.notListening(w, home, homeless == nil)
		coming = !errors.Is(err, fs.ErrPermission) && paths.Expected(a.getenv, home, w) // home may be empty
		return path, coming, err
	})
}

// notListening is why no daemon answers for w; a path without an error: one has begun to.
func (a *app) notListening(w wallet.Wallet, home string, homed bool) (string, error) {
	var dialer net.Dialer
	dirs := paths.SocketDirs(a.getenv, home, w)
	for _, dir := range dirs {
		path := filepath.Join(dir, words.AgentSocket)
		if conn, err := dialer.DialContext(a.ctx, "unix", path); errors.Is(err, fs.ErrPermission) {
			return "", &localclient.UnreachableError{Path: path, Err: fs.ErrPermission}
		} else if err == nil {
			_ = conn.Close() // it listens now
			return path, nil
		}
	}
	where := dirs[0]
	if homed {
		where = paths.SocketDir(a.getenv, home, w)
	}
	err := &localclient.UnreachableError{Path: filepath.Join(where, words.AgentSocket), Err: errors.New("nobody listens")}
	hint := "agentkeys-daemon run --wallet " + w.String()
	if machine := (systemd.Machine{}); machine.Running() && machine.Installed() {
		hint = "sudo systemctl start agentkeys-daemon@" + w.String() + "   (or, an agent of your own: " + hint + ")"
	}
	return "", cli.Hinted(err, hint)
}

// present lists what this machine has: live sockets, and slots whose daemon may be down.
func (a *app) present() (owner.Present, error) {
	s, err := a.slots()
	if errors.Is(err, paths.ErrHome) {
		return a.orExpected(owner.Present{Daemons: paths.FindSockets(a.getenv, "")}, ""), nil
	}
	if err != nil {
		return owner.Present{}, err
	}
	found, err := s.List()
	if err != nil {
		return owner.Present{}, err
	}
	p := owner.Present{Daemons: paths.FindSockets(a.getenv, s.Home())}
	for _, slot := range found {
		if slot.Tombstone {
			continue
		}
		p.Master = p.Master || slot.ID == session.Master()
		if w, ok := slot.ID.Wallet(); ok && !slices.Contains(p.Daemons, w) {
			p.Daemons = append(p.Daemons, w)
		}
	}
	return a.orExpected(p, s.Home()), nil
}

// orExpected adds the daemons that are being restarted if there is nothing else. A program that may
// not look at slots cannot see a daemon that ended a moment ago in any other way.
func (a *app) orExpected(p owner.Present, home string) owner.Present {
	if !p.Master && len(p.Daemons) == 0 {
		p.Daemons = paths.ExpectedDaemons(a.getenv, home)
	}
	return p
}
