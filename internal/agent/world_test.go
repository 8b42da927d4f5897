package agent_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// world is one paired board: a real store on disk, a broker and an owner in memory.
type world struct {
	t      *testing.T
	id     session.ID
	wallet wallet.Wallet
	store  *store.Store
	broker *fakeBroker
	owner  *owner

	named  string                 // the broker of the settings
	others map[string]*fakeBroker // by URL; every other URL is broker's

	wrap     func(agent.Store) agent.Store // nil: none
	keychain agent.Keychain                // nil: never used

	keychainState string // of the last look; empty: disabled
	synced        bool   // the clock is synchronised
}

// newWorld pairs without the ceremony: A has openrouter in scope.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := wallet.New()
	s := session.Session{
		Token: session.NewToken(), Wallet: w, Scope: scope.None(), CreatedAt: time.Now().Unix(),
		TTLSeconds: int64(session.TTL / time.Second), Broker: "http://127.0.0.1:1",
		DeviceKey: seal.NewSeed(), DeviceSignKey: seal.NewSeed(),
	}
	o := newOwner(t, w, s)
	s.Owner = &session.Owner{Wallet: o.wallet, SigningKey: must(seal.SigningKey(o.sign))(t)}
	out := &world{t: t, id: session.DaemonID(w), wallet: w, owner: o}
	out.store = must(store.New(store.Config{Home: t.TempDir(), Mode: words.ModeFile}))(t)
	must(out.store.Save(context.Background(), out.id, s))(t)
	out.broker = &fakeBroker{
		changed: make(chan struct{}), wallet: w, signKey: o.manifest.DeviceSignKey, epochSeen: true,
		current: session.TokenHash(s.Token), retired: map[string]bool{}, renewedAt: s.CreatedAt, calls: map[string]int{},
	}
	o.scope("openrouter")
	o.store("openrouter", "sk-1")
	o.publish(out.broker)
	return out
}

func (w *world) load() session.Session {
	w.t.Helper()
	s, _, err := w.store.Load(context.Background(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// change edits the stored session as another program would.
func (w *world) change(edit func(*session.Session)) {
	w.t.Helper()
	s := w.load()
	edit(&s)
	must(w.store.Save(context.Background(), w.id, s))(w.t)
}

// daemon is one running daemon of the world.
type daemon struct {
	*agent.Daemon
	conditions *health.Conditions
	stop       func() error
}

func (w *world) config() agent.Config {
	conditions := health.NewConditions(time.Now, slog.New(slog.DiscardHandler), w.wallet.String())
	var s agent.Store = w.store
	if w.wrap != nil {
		s = w.wrap(s)
	}
	return agent.Config{
		Keychain: w.keychain, Wallet: w.wallet, Store: s, Dial: w.dial,
		Named: func() (string, string) { return w.named, "/etc/agentkeys/daemon.toml" },
		KeychainState: func() words.KeychainState {
			return cmp.Or(words.KeychainState(w.keychainState), words.KeychainDisabled)
		}, Conditions: conditions,
		Observer: observer{}, Notifier: quiet{}, Logger: slog.New(slog.DiscardHandler),
		Host: "pi", Version: "test", ClockSynced: func() bool { return w.synced },
		Floor: func() time.Time { return time.Time{} }, SetFloor: func(time.Time) {},
		Random: func() float64 { return 0.5 }, Settings: func() {},
	}
}

func (w *world) dial(url string) (agent.Broker, error) {
	if b, ok := w.others[url]; ok {
		return b, nil
	}
	return w.broker, nil
}

// start runs a daemon inside a synctest bubble until the test or stop ends it.
func (w *world) start() *daemon { return w.startWith(func(*agent.Config) {}) }

func (w *world) startWith(edit func(*agent.Config)) *daemon {
	w.t.Helper()
	c := w.config()
	edit(&c)
	d := &daemon{Daemon: agent.New(c)}
	d.conditions, _ = c.Conditions.(*health.Conditions)
	ctx, cancel := context.WithCancel(context.Background())
	if err := d.Start(ctx); err != nil {
		cancel()
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	d.stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		d.Close()
		return err
	})
	w.t.Cleanup(func() { _ = d.stop() })
	synctest.Wait()
	return d
}

func (d *daemon) state() string { return string(d.Status().State) }

// value is what a local caller gets: the value, or the code of the refusal.
func (d *daemon) value(service string) string {
	c, err := d.Credential(service)
	var p *protocol.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return c.Value.Reveal()
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

type observer struct{}

func (observer) Session(uint64, int64)        {}
func (observer) StorageBackend(words.Backend) {}
func (observer) StoreInDoubt(bool)            {}
func (observer) Renewal(string)               {}
func (observer) BrokerUp(bool)                {}
func (observer) Synced(int64)                 {}
func (observer) Credentials(int)              {}
func (observer) Lease(_, _ time.Duration)     {}

type quiet struct{}

func (quiet) Status(words.State, string) {}
func (quiet) Reloading()                 {}
func (quiet) Ready()                     {}
func (quiet) Ping()                      {}

func newDaemon(w *world) *agent.Daemon { return agent.New(w.config()) }
