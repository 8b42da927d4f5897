// Package checkup examines this machine for `doctor` of both programs and passes the facts to
// internal/doctor. It changes nothing: it takes no lock, adopts nothing, writes neither file nor
// keychain, shows no prompt and reveals no session.
package checkup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Config says for whom to examine. Only Getenv is required.
type Config struct {
	Getenv  func(string) string
	Flags   map[string]string // settings given as flags, by settings key
	Owner   bool              // examine the owner's slots too
	Root    string            // where the system's own files are; empty = /
	NoSudo  bool              // this process is root, and there is no sudo
	Journal *Journal          // of the owner's slots; nil: do not examine it
}

// machine is one examination.
type machine struct {
	cfg     Config
	home    string
	euid    int
	brokers map[string]*asked // by address
}

// Reports examines one slot, or with a zero id all slots of this machine, or if there is none the
// machine alone. Errors: paths.ErrHome, a usage error. All other faults are in the reports.
func Reports(ctx context.Context, cfg Config, id session.ID) ([]doctor.Report, error) {
	m := &machine{cfg: cfg, euid: os.Geteuid(), brokers: map[string]*asked{}}
	defer m.close()
	var err error
	if m.home, err = paths.Home(cfg.Getenv, m.euid); err != nil {
		return nil, err
	}
	if !id.IsZero() {
		return []doctor.Report{doctor.Examine(m.facts(ctx, id))}, nil
	}
	ids, insecure := m.slots()
	var reports []doctor.Report
	for _, id := range ids {
		reports = append(reports, doctor.Examine(m.facts(ctx, id)))
	}
	if reports == nil {
		f := m.facts(ctx, session.ID{})
		f.Slot = insecure
		reports = append(reports, doctor.Examine(f))
	}
	return reports, nil
}

func (m *machine) close() {
	for _, a := range m.brokers {
		if a.client != nil {
			a.client.Close()
		}
	}
}

// slots lists what to examine: slots, and sockets of daemons whose slot this user cannot see. insecure
// is why the home could not be read.
func (m *machine) slots() (ids []session.ID, insecure *doctor.Slot) {
	s, err := store.New(store.Config{Home: m.home, Mode: words.ModeFile, SlotUser: m.slotUser()})
	if err != nil {
		return nil, &doctor.Slot{Path: m.home, UID: m.euid, Unread: err.Error()}
	}
	found, err := s.List()
	if err != nil {
		insecure = &doctor.Slot{Path: m.home, UID: m.euid, Unread: err.Error()}
		var wrong *store.InsecureError
		if errors.As(err, &wrong) {
			insecure.Insecure = []doctor.Insecure{{Path: wrong.Path, What: wrong.What, Fix: wrong.Fix}}
		}
	}
	for _, slot := range found {
		if _, agent := slot.ID.Wallet(); !slot.Tombstone && !slot.ID.IsPending() && (agent || m.cfg.Owner) {
			ids = append(ids, slot.ID)
		}
	}
	for _, w := range paths.FindSockets(m.cfg.Getenv, m.home) {
		ids = append(ids, session.DaemonID(w))
	}
	slices.SortFunc(ids, func(a, b session.ID) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(ids), insecure
}

func (m *machine) slotUser() *store.IDs {
	uid, gid, ok := paths.SlotUser(m.home, m.euid)
	if !ok {
		return nil
	}
	return &store.IDs{UID: uid, GID: gid}
}

// facts gathers everything about one slot, or about the machine with a zero id.
func (m *machine) facts(ctx context.Context, id session.ID) doctor.Facts {
	f := doctor.Facts{
		Now: time.Now(), SessionID: id.String(), EUID: m.euid, NoSudo: m.cfg.NoSudo,
		Memory: m.memory(), Home: m.home, OfMachine: paths.UnitsHome(m.home),
	}
	w, agent := id.Wallet()
	if agent {
		f.Wallet = w.String()
	}
	set, broker, problems := m.settings(&f)
	f.Clock.Known, f.Clock.Synced = ClockSynced()
	f.Clock.Floor = buildDate()
	p := m.lookAtKeychain(ctx, &f, set, problems)
	p.named = broker
	if !id.IsZero() && p.store != nil {
		m.slot(ctx, &f, p, id)
	}
	f.Disk = disk(m.home)
	if f.Slot != nil {
		f.Disk = disk(f.Slot.Path)
	}
	if agent {
		f.Socket = m.socket(ctx, w)
		f.Holder = holderOf(f, p, id, w)
		f.Boot = m.boot(f, w)
		m.metrics(ctx, &f)
	}
	f.Broker = m.broker(ctx, &f, p)
	return f
}

// settings loads the layers. If there are problems none of them counts. The files are for daemons and
// do not name an owner's broker.
func (m *machine) settings(f *doctor.Facts) (set settings.Settings, broker protocol.StatusBroker, problems bool) {
	set, origins, err := settings.Load(settings.Source{
		Wallet: f.Wallet, Dir: paths.ConfigDir(m.cfg.Getenv), Getenv: m.cfg.Getenv, Flags: m.cfg.Flags, ReadFile: settings.ReadFile,
		CanonicalURL: brokerclient.CanonicalURL,
	})
	if err != nil {
		f.Settings.Problems = strings.Split(strings.ReplaceAll(err.Error(), settings.ErrSettings.Error()+": ", ""), "\n") // errors.Join puts each on a line
		return settings.Settings{SessionStore: words.ModeFile}, broker, true
	}
	from := origins["broker"]
	if owner := f.SessionID != "" && f.Wallet == ""; set.Broker != "" && !(owner && filepath.IsAbs(from)) {
		broker = protocol.StatusBroker{URL: set.Broker, From: from}
	}
	f.Settings.Store, f.Settings.StoreFrom = set.SessionStore, origins["session_store"]
	if set.MetricsListen != "" && f.Wallet != "" {
		f.Metrics = &doctor.Listener{Address: set.MetricsListen, From: origins["metrics_listen"]}
	}
	return set, broker, false
}

// at is a path of the system.
func (m *machine) at(path string) string { return filepath.Clean("/" + m.cfg.Root + path) }
