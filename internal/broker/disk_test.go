package broker_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/session"
)

// asked is what a broker answers to each kind of request: codes, empty for an answer.
func asked(t *testing.T, s *brokertest.Server, o *brokertest.Owner, d *brokertest.Device) map[string]string {
	t.Helper()
	b, out := s.Broker, map[string]string{}
	_, _, _, err := b.Sync(ctx(t), d.Credentials(), "", 0)
	out["sync"] = code(t, err)
	_, err = b.Session(ctx(t), d.Credentials())
	out["session"] = code(t, err)
	_, err = b.Session(ctx(t), brokertest.As(session.NewToken()))
	out["an unknown token"] = code(t, err)
	_, err = b.Agents(ctx(t), o.Credentials(), 0)
	out["agents"] = code(t, err)
	_, err = b.Records(ctx(t), o.Credentials(), d.Wallet)
	out["the owner's records"] = code(t, err)
	_, err = b.Record(ctx(t), d.Credentials(), d.Wallet, "openrouter")
	out["a record, which is audited"] = code(t, err)
	next := session.TokenHash(session.NewToken())
	proof := brokertest.Must(session.Prove(d.Sign, session.RenewText(d.Wallet, session.TokenHash(d.Token), next)))(t)
	_, err = b.Renew(ctx(t), d.Credentials(), protocol.Renew{NextSHA256: next, Proof: proof})
	out["renew"] = code(t, err)
	other := brokertest.NewDevice(t, "")
	_, err = b.OpenPairing(ctx(t), other.Credentials(), other.Opening())
	out["pair"] = code(t, err)
	return out
}

func TestABrokerThatCannotWriteSaysSoAndGoesOnReading(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{protocol.ReadOnlyNoSpace, protocol.ReadOnlyMount, protocol.ReadOnlyFault} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := brokertest.Start(t)
			o := s.Owner()
			d := s.Agent(o, scope.All(), "openrouter")
			if got := code(t, last(s.Broker.Session(ctx(t), d.Credentials()))); got != "" {
				t.Fatal(got)
			}
			s.Clock.Jump(time.Hour) // so that presence is due
			s.Fill(reason, false)
			want := map[string]string{
				"sync": "", "session": "", "an unknown token": protocol.CodeTokenUnknown, "agents": "", "the owner's records": "",
				"a record, which is audited": protocol.CodeReadOnly, "renew": protocol.CodeReadOnly, "pair": protocol.CodeReadOnly,
			}
			if diff := cmp.Diff(want, asked(t, s, o, d)); diff != "" {
				t.Error(diff)
			}
			if got := code(t, s.Broker.Revoke(ctx(t), o.Credentials(), d.Wallet)); got != protocol.CodeReadOnly {
				t.Errorf("revoke: %q", got)
			}
			info := s.Broker.Info()
			if !info.ReadOnly || info.ReadOnlyReason != reason || s.Broker.ReadOnly() != reason {
				t.Errorf("%+v", info)
			}
			if err := s.Broker.Sweep(ctx(t)); err == nil {
				t.Error("a sweep wrote")
			}
			s.Drain()
			if err := s.Broker.Sweep(ctx(t)); err != nil {
				t.Fatal(err)
			}
			if info := s.Broker.Info(); info.ReadOnly || info.ReadOnlyReason != "" {
				t.Errorf("%+v", info)
			}
			for what, got := range asked(t, s, o, d) {
				if got != "" && what != "an unknown token" {
					t.Errorf("%s with room again: %q", what, got)
				}
			}
			if err := s.Broker.Revoke(ctx(t), o.Credentials(), d.Wallet); err != nil {
				t.Error(err)
			}
		})
	}
}

func last[T any](_ T, err error) error { return err }

// What takes access away is worth the reserve; nothing else is.
func TestAFullDiskDoesNotKeepAccess(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*brokertest.Server, *brokertest.Owner, *brokertest.Device) error{
		"revoke": func(s *brokertest.Server, o *brokertest.Owner, d *brokertest.Device) error {
			return s.Broker.Revoke(context.Background(), o.Credentials(), d.Wallet)
		},
		"teardown": func(s *brokertest.Server, o *brokertest.Owner, d *brokertest.Device) error {
			return s.Broker.Teardown(context.Background(), o.Credentials(), d.Wallet)
		},
		"forget": func(s *brokertest.Server, _ *brokertest.Owner, d *brokertest.Device) error {
			return s.Broker.EndSession(context.Background(), d.Credentials(), d.End(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := brokertest.Start(t)
			o := s.Owner()
			d := s.Agent(o, scope.All(), "openrouter")
			s.Fill(protocol.ReadOnlyNoSpace, true)
			if got := asked(t, s, o, d)["pair"]; got != protocol.CodeReadOnly {
				t.Fatalf("pair: %q", got)
			}
			if err := end(s, o, d); err != nil {
				t.Fatal(err)
			}
			if got := code(t, last(s.Broker.Session(ctx(t), d.Credentials()))); got != protocol.CodeSessionRevoked {
				t.Errorf("its session: %q", got)
			}
		})
	}
}

// stubDisk counts writes, which fail while full.
type stubDisk struct {
	broker.Store
	mu       sync.Mutex
	full     bool
	room     error
	writes   int
	reserved int
}

func (d *stubDisk) Update(context.Context, func(broker.Tx) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writes++; d.full {
		return &broker.Unwritable{Reason: protocol.ReadOnlyNoSpace}
	}
	return nil
}

func (d *stubDisk) View(context.Context, func(broker.Tx) error) error { return &broker.Unwritable{} }

func (d *stubDisk) Room() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room
}

func (d *stubDisk) Reserve() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reserved++
}

func (d *stubDisk) set(full bool, room error) (writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.room = full, room
	writes, d.writes = d.writes, 0
	return writes
}

func TestHowOftenADiskIsTried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, log := &stubDisk{}, &bytes.Buffer{}
		b := brokertest.Must(broker.New(t.Context(), broker.Config{Store: d, Log: slog.New(slog.NewTextHandler(log, nil))}))(t)
		c, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); b.Run(c) }()
		d.set(false, nil)
		time.Sleep(10*time.Minute + time.Second)
		if n := d.set(true, nil); n != 10 {
			t.Errorf("%d writes in ten minutes of an idle broker", n)
		}
		time.Sleep(time.Minute)
		if b.ReadOnly() != protocol.ReadOnlyNoSpace {
			t.Error("a full disk is not noticed within a minute")
		}
		d.set(true, nil)
		time.Sleep(10 * time.Minute)
		if n := d.set(false, &broker.Unwritable{Reason: protocol.ReadOnlyNoSpace}); n < 59 || n > 61 {
			t.Errorf("%d writes in ten minutes of a full disk", n)
		}
		time.Sleep(time.Minute)
		if b.ReadOnly() == "" {
			t.Error("a write that found a page of the log is not yet room")
		}
		d.set(false, nil)
		time.Sleep(11 * time.Second)
		if b.ReadOnly() != "" || d.reserved != 1 {
			t.Errorf("with room again: %q, reserves made: %d", b.ReadOnly(), d.reserved)
		}
		d.set(true, nil)
		if _, err := b.Session(t.Context(), brokertest.As(session.NewToken())); err == nil {
			t.Error("a request that writes")
		}
		d.set(false, nil)
		time.Sleep(11 * time.Second)
		if b.ReadOnly() != "" {
			t.Error("what a request met is not looked after until the next sweep")
		}
		stop()
		<-done
		if n := strings.Count(log.String(), "\n"); n != 4 {
			t.Errorf("%d lines of log:\n%s", n, log)
		}
	})
}

// unwritableStore is a disk that is full already.
type unwritableStore struct{ broker.Store }

func (unwritableStore) Update(context.Context, func(broker.Tx) error) error {
	return &broker.Unwritable{Reason: protocol.ReadOnlyNoSpace}
}

func TestABrokerStartsOnAFullDisk(t *testing.T) {
	t.Parallel()
	store := brokertest.Must(sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "broker.db")))(t)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := broker.New(t.Context(), broker.Config{Store: unwritableStore{store}}); err == nil {
		t.Error("a database without an epoch was opened")
	}
	before := brokertest.Must(broker.New(t.Context(), broker.Config{Store: store}))(t).Info().Epoch
	b := brokertest.Must(broker.New(t.Context(), broker.Config{Store: unwritableStore{store}}))(t)
	if info := b.Info(); info.Epoch != before || info.ReadOnlyReason != protocol.ReadOnlyNoSpace {
		t.Errorf("%+v, and the epoch before was %s", info, before)
	}
}

func TestAFileSystemThatIsFullIsToldBeforeAnyWriteFails(t *testing.T) {
	t.Parallel()
	d := &stubDisk{room: &broker.Unwritable{Reason: protocol.ReadOnlyMount}}
	b := brokertest.Must(broker.New(t.Context(), broker.Config{Store: d}))(t)
	if info := b.Info(); !info.ReadOnly || info.ReadOnlyReason != protocol.ReadOnlyMount {
		t.Errorf("%+v", info)
	}
}
