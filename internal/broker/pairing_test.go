package broker_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func approve(t *testing.T, s *brokertest.Server, o *brokertest.Owner, body protocol.ApprovePairing) string {
	t.Helper()
	_, err := s.Broker.ApprovePairing(ctx(t), o.Credentials(), body)
	return code(t, err)
}

func poll(t *testing.T, s *brokertest.Server, d *brokertest.Device, wait time.Duration) (*protocol.Granted, string) {
	t.Helper()
	granted, _, err := s.Broker.PollPairing(ctx(t), d.Credentials(), wait)
	return granted, code(t, err)
}

func find(t *testing.T, s *brokertest.Server, o *brokertest.Owner, lookup string) string {
	t.Helper()
	_, err := s.Broker.FindPairing(ctx(t), o.Credentials(), protocol.FindPairing{Lookup: lookup})
	return code(t, err)
}

func opened(t *testing.T, s *brokertest.Server, identity string) *brokertest.Device {
	t.Helper()
	d := brokertest.NewDevice(t, identity)
	s.Open(d)
	return d
}

func TestRecoveryEndsTheOldSession(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, stranger := s.Owner(), s.Owner()
	old := s.Agent(owner, scope.All(), "openrouter")
	if got := code(t, second(s.Broker.Session(ctx(t), old.Credentials()))); got != "" {
		t.Fatal(got)
	}
	board := opened(t, s, old.Wallet.String())
	record := owner.Sealed(t, board, "openrouter", 2, "value")
	m := owner.Draft(t, board, old.Wallet, 2, scope.All())
	body := owner.Approval(t, board, m, record)

	if got := approve(t, s, stranger, stranger.Approval(t, board, stranger.Draft(t, board, old.Wallet, 2, scope.All()))); got != protocol.CodeNotFound {
		t.Errorf("another owner: %q", got)
	}
	if got := approve(t, s, owner, owner.Approval(t, board, m, owner.Sealed(t, board, "openrouter", 1, "value"))); got != protocol.CodeConflict {
		t.Errorf("a record revision that was used: %q", got)
	}
	if got := code(t, second(s.Broker.Session(ctx(t), old.Credentials()))); got != "" {
		t.Errorf("a refused recovery ended the session: %q", got)
	}
	if got := approve(t, s, owner, body); got != "" {
		t.Fatal(got)
	}
	if got := code(t, second(s.Broker.Session(ctx(t), old.Credentials()))); got != protocol.CodeSessionRevoked {
		t.Errorf("the old session: %q", got)
	}
	if granted, got := poll(t, s, board, 0); got != "" || !bytes.Equal(granted.Grant, body.Grant) {
		t.Errorf("the new board: %q", got)
	}
	got, err := s.Broker.Record(ctx(t), board.Credentials(), old.Wallet, "openrouter")
	if err != nil || !bytes.Equal(got.Data, record.Data) {
		t.Errorf("its record: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestApproveIsIdempotentByContent(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, other := s.Owner(), s.Owner()
	d := opened(t, s, "")
	w := wallet.New()
	body := owner.Approval(t, d, owner.Draft(t, d, w, 1, scope.All()))
	for range 2 {
		if got := approve(t, s, owner, body); got != "" {
			t.Fatal(got)
		}
	}
	if got := approve(t, s, owner, owner.Approval(t, d, owner.Draft(t, d, w, 1, scope.None()))); got != protocol.CodeAlreadyConsumed {
		t.Errorf("other bytes: %q", got)
	}
	if got := approve(t, s, other, other.Approval(t, d, other.Draft(t, d, wallet.New(), 1, scope.All()))); got != protocol.CodeAlreadyConsumed {
		t.Errorf("another owner: %q", got)
	}
	list, err := s.Broker.Agents(ctx(t), owner.Credentials(), 0)
	if err != nil || len(list.Agents) != 1 {
		t.Errorf("%d agents, %v", len(list.Agents), err)
	}
}

func TestApproveRefuses(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	known := s.Agent(owner, scope.All())
	for name, tc := range map[string]struct {
		change func(d *brokertest.Device, m *seal.Manifest)
		want   string
	}{
		"a wallet that is known":          {func(_ *brokertest.Device, m *seal.Manifest) { m.Wallet = known.Wallet }, protocol.CodeConflict},
		"the owner's own wallet":          {func(_ *brokertest.Device, m *seal.Manifest) { m.Wallet = owner.Wallet }, protocol.CodeBadRequest},
		"another device's signing key":    {func(_ *brokertest.Device, m *seal.Manifest) { m.DeviceSignKey = known.Manifest.DeviceSignKey }, protocol.CodeBadRequest},
		"another device's encryption key": {func(_ *brokertest.Device, m *seal.Manifest) { m.DeviceKey = known.Manifest.DeviceKey }, protocol.CodeBadRequest},
		"a listed record that is missing": {func(d *brokertest.Device, m *seal.Manifest) {
			m.Records = []seal.Entry{seal.EntryOf(owner.Sealed(t, d, "openrouter", 1, "v"))}
		}, protocol.CodeBadRequest},
	} {
		d := opened(t, s, "")
		m := owner.Draft(t, d, wallet.New(), 1, scope.All())
		tc.change(d, &m)
		if got := approve(t, s, owner, owner.Approval(t, d, m)); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		s.Clock.Jump(10 * time.Second) // ten openings a minute
	}
	d := opened(t, s, "")
	body := owner.Approval(t, d, owner.Draft(t, d, wallet.New(), 1, scope.All()))
	for name, change := range map[string]func(*protocol.ApprovePairing){
		"a grant that is no JSON": func(b *protocol.ApprovePairing) { b.Grant = []byte("{") },
		"a grant for another board": func(b *protocol.ApprovePairing) {
			b.Grant = owner.Approval(t, brokertest.NewDevice(t, ""), owner.Draft(t, d, wallet.New(), 1, scope.All())).Grant
		},
		"a record not listed": func(b *protocol.ApprovePairing) { b.Records = append(b.Records, owner.Sealed(t, d, "x", 1, "v")) },
	} {
		changed := body
		change(&changed)
		if got := approve(t, s, owner, changed); got != protocol.CodeBadRequest {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := approve(t, s, owner, body); got != "" {
		t.Errorf("nothing of the refused ones stayed, but %q", got)
	}
}

func TestADenialDoesNotStopAnApproval(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, liar := s.Owner(), s.Owner()
	d := opened(t, s, "")
	deny := func(o *brokertest.Owner, mac byte) string {
		body := protocol.DenyPairing{Lookup: d.Lookup, TokenSHA256: session.TokenHash(d.Token), MAC: bytes.Repeat([]byte{mac}, 32)}
		return code(t, second(s.Broker.DenyPairing(ctx(t), o.Credentials(), body)))
	}
	if got := deny(liar, 1) + deny(liar, 1); got != "" {
		t.Fatal(got)
	}
	if got := deny(liar, 2); got != protocol.CodeConflict {
		t.Errorf("another denial by the same owner: %q", got)
	}
	if _, got := poll(t, s, d, 0); got != protocol.CodePairingDenied {
		t.Errorf("%q", got)
	}
	if got := deny(owner, 3); got != "" {
		t.Errorf("a denial by the right owner: %q", got)
	}
	if got := approve(t, s, owner, owner.Approval(t, d, owner.Draft(t, d, wallet.New(), 1, scope.All()))); got != "" {
		t.Errorf("an approval after it: %q", got)
	}
	if _, got := poll(t, s, d, 0); got != "" {
		t.Errorf("the board: %q", got)
	}
}

func TestALongPollEndsWithTheDecision(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := opened(t, s, "")
	answer := make(chan string, 1)
	go func() {
		granted, got := poll(t, s, d, 25*time.Second)
		if granted == nil {
			got += "nothing granted"
		}
		answer <- got
	}()
	if got := approve(t, s, owner, owner.Approval(t, d, owner.Draft(t, d, wallet.New(), 1, scope.All()))); got != "" {
		t.Fatal(got)
	}
	if got := <-answer; got != "" {
		t.Error(got)
	}
}

func TestACodeLivesTenMinutesAndTenTimes(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := opened(t, s, "")
	again := func() protocol.PairingOpened {
		return brokertest.Must(s.Broker.OpenPairing(ctx(t), d.Credentials(), d.Opening()))(t)
	}
	for i := range 10 {
		s.Clock.Jump(10*time.Minute - time.Second)
		if i == 5 {
			s.Clock.Jump(time.Hour) // expired: the same code comes to life again
		}
		if got := again(); got.ExpiresIn != 600 {
			t.Fatalf("time %d: %+v", i, got)
		}
	}
	s.Clock.Jump(10*time.Minute - time.Second)
	if got := again(); got.ExpiresIn != 1 {
		t.Errorf("the eleventh time: %+v", got)
	}
	if got := find(t, s, owner, d.Lookup); got != "" {
		t.Errorf("in its last second: %q", got)
	}
	s.Clock.Jump(time.Second)
	if _, got := poll(t, s, d, 0); got != protocol.CodePairingExpired {
		t.Errorf("the board: %q", got)
	}
	if got := find(t, s, owner, d.Lookup); got != protocol.CodePairingExpired {
		t.Errorf("the owner: %q", got)
	}
	if err := s.Broker.Sweep(ctx(t)); err != nil {
		t.Fatal(err)
	}
	rows := brokertest.Must(s.Broker.Audit(ctx(t), owner.Credentials(), protocol.AuditQuery{Action: protocol.ActionPairingExpired}))(t).Rows
	if len(rows) != 1 {
		t.Errorf("%+v", rows)
	}
	changed := d.Opening()
	changed.MAC = bytes.Repeat([]byte{9}, 32)
	if got := code(t, second(s.Broker.OpenPairing(ctx(t), d.Credentials(), changed))); got != protocol.CodeConflict {
		t.Errorf("other bytes: %q", got)
	}
}
