package store_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// naive is what many programs do: the keychain, else a file. Its file handling is
// ours, so only the rule itself is on trial.
type naive struct {
	fs       atomicfile.FS
	keychain store.Keychain
}

const naiveHome = "/home/pi/.naive"

func naiveMaker(m *machine, p *storetest.Process) subject {
	return naive{fs: p, keychain: m.ring.Client(p)}
}

func (n naive) Save(ctx context.Context, id session.ID, v session.Session) (store.Info, error) {
	payload, err := v.Encode()
	if err != nil {
		return store.Info{}, err
	}
	if n.keychain.Put(ctx, id.String(), string(payload)) == nil {
		return store.Info{}, nil
	}
	if err := n.fs.MakeDir(naiveHome, 0o700); err != nil {
		return store.Info{}, err
	}
	dir, err := n.fs.OpenDir(naiveHome)
	if err != nil {
		return store.Info{}, err
	}
	return store.Info{}, atomicfile.Write(dir, id.String(), payload)
}

func (n naive) Load(ctx context.Context, id session.ID) (session.Session, store.Info, error) {
	text, err := n.keychain.Get(ctx, id.String())
	if err != nil {
		text, err = n.file(id)
	}
	if err != nil {
		return session.Session{}, store.Info{}, err
	}
	v, err := session.Decode([]byte(text))
	return v, store.Info{}, err
}

func (n naive) file(id session.ID) (string, error) {
	dir, err := n.fs.OpenDir(naiveHome)
	if err != nil {
		return "", naiveError(err)
	}
	f, err := dir.Open(id.String())
	if err != nil {
		return "", naiveError(err)
	}
	data, err := io.ReadAll(f)
	return string(data), err
}

func naiveError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return store.ErrNoSession
	}
	return err
}

func (n naive) Delete(ctx context.Context, id session.ID) error {
	err := n.keychain.Delete(ctx, id.String())
	if dir, openErr := n.fs.OpenDir(naiveHome); openErr == nil {
		_ = dir.Remove(id.String()) // as good as such programs are
		err = errors.Join(err, dir.Sync())
	}
	return err
}

func (n naive) ReconcileSlot(context.Context, session.ID) error { return nil }

// violation stops a history and keeps the words of the first one.
type violation string

type keepFirst struct{}

func (keepFirst) Fatalf(format string, args ...any) {
	panic(violation(strings.SplitN(format, ":", 2)[0]))
}

// TestMachineBites runs the naive store through the same machine: it has to lose,
// fork and resurrect sessions. A machine that lets it pass proves nothing.
func TestMachineBites(t *testing.T) {
	t.Parallel()
	found := map[violation]int{}
	const histories = 300
	for seed := range histories {
		if v := naiveHistory(seed); v != "" {
			found[v]++
		}
	}
	t.Logf("violations in %d histories: %v", histories, found)
	violated := 0
	for _, n := range found {
		violated += n
	}
	if violated < histories*4/5 {
		t.Errorf("only %d of %d histories of the naive store are violations", violated, histories)
	}
	for _, want := range []violation{"LOST", "STALE", "RESURRECTED"} {
		if found[want] == 0 {
			t.Errorf("the machine does not notice that the naive store's sessions are %s", want)
		}
	}
}

// naiveHistory runs one history and returns its first violation.
func naiveHistory(seed int) (first violation) {
	defer func() {
		if v, ok := recover().(violation); ok {
			first = v
		}
	}()
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	m := newMachine(store.ModeAuto, naiveMaker)
	m.noGenerations = true
	m.run(keepFirst{}, 40, allSteps(), func(_ string, n int) int { return random.IntN(n) })
	return ""
}
