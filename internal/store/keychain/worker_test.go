package keychain_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// workerVariable makes the test program one that does what its stdin says with the
// session of `account` in this home: a daemon or a CLI, without everything else.
const workerVariable = "KEYCHAIN_TEST_WORKER"

// workerTimeout is what one keychain operation of a worker may take.
const workerTimeout = "KEYCHAIN_TEST_WORKER_TIMEOUT"

// The commands of a worker. After the word comes the slot, then the token.
const (
	doSave      = "save"
	doOver      = "over" // what a renewal does: load, then save over what was loaded
	doLoad      = "load"
	doReconcile = "reconcile"
	doDelete    = "delete"
	doPromote   = "promote" // of that pending slot to the wallet's
)

// reply is what a worker says to each command.
type reply struct {
	Token      string
	Generation uint64
	Backend    words.Backend
	Over       uint64 // the generation that over had loaded
	Failure    string // the name of the error; empty = none
	Text       string // of the error
}

// hurry makes a worker's minutes pass in a tenth of a second: Reconcile waits for some.
const hurry = 600

func work(home string) int {
	begin := time.Now()
	timeout, err := time.ParseDuration(os.Getenv(workerTimeout))
	if err != nil {
		return 1
	}
	k := keychain.New(keychain.Config{Timeout: timeout})
	s, err := store.New(store.Config{
		Home: home, Keychain: k, KeychainTimeout: timeout,
		Now: func() time.Time { return begin.Add(hurry * time.Since(begin)) },
	})
	if err != nil {
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	running := make(chan error, 1)
	go func() { running <- k.Run(ctx) }()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var command, slot, token string
		_, _ = fmt.Sscan(lines.Text(), &command, &slot, &token) // not all have a token
		if json.NewEncoder(os.Stdout).Encode(obey(ctx, s, command, slot, token)) != nil {
			return 1
		}
	}
	cancel()
	if <-running != nil {
		return 1
	}
	return 0
}

func obey(ctx context.Context, s *store.Store, command, slot, token string) reply {
	id, err := session.ParseID(slot)
	if err != nil {
		return replyOf("", store.Info{}, err)
	}
	switch command {
	case doSave:
		info, err := s.Save(ctx, id, workerSession(token))
		return replyOf(token, info, err)
	case doOver:
		_, before, err := s.Load(ctx, id)
		if err != nil {
			return replyOf("", before, err)
		}
		info, err := s.SaveOver(ctx, id, before.Generation, workerSession(token))
		r := replyOf(token, info, err)
		r.Over = before.Generation
		return r
	case doDelete:
		return replyOf("", store.Info{}, s.Delete(ctx, id))
	case doPromote:
		v := workerSession(token)
		info, err := s.Promote(ctx, id, session.DaemonID(v.Wallet), v)
		return replyOf(token, info, err)
	case doReconcile:
		if err := s.ReconcileSlot(ctx, id); err != nil {
			return replyOf("", store.Info{}, err)
		}
	}
	v, info, err := s.Load(ctx, id)
	return replyOf(v.Token.Reveal(), info, err)
}

func replyOf(token string, info store.Info, err error) reply {
	if err == nil {
		return reply{Token: token, Generation: info.Generation, Backend: info.Backend}
	}
	for name, known := range map[string]error{
		"no_session": store.ErrNoSession, "unavailable": store.ErrUnavailable, "in_doubt": store.ErrInDoubt,
		"busy": store.ErrBusy, "stale": store.ErrStale, "inconsistent": store.ErrInconsistent,
	} {
		if errors.Is(err, known) {
			return reply{Failure: name, Text: err.Error()}
		}
	}
	return reply{Failure: "other", Text: err.Error()}
}

func workerSession(token string) session.Session {
	w, err := wallet.Parse(strings.TrimPrefix(account, "daemon-"))
	if err != nil {
		panic(err)
	}
	return session.Session{
		Token: secret.New(token), Wallet: w, Scope: scope.All(), CreatedAt: 1_700_000_000,
		TTLSeconds: int64(session.TTL / time.Second), Broker: "https://broker.example",
		DeviceKey: session.NewToken(), DeviceSignKey: session.NewToken(),
	}
}

// worker is such a program as the test sees it.
type worker struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	errors bytes.Buffer
}

func startWorker(t *testing.T, env []string, home string, timeout time.Duration) *worker {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{t: t, cmd: exec.Command(program)}
	w.cmd.Env = append(env, workerVariable+"="+home, workerTimeout+"="+timeout.String())
	w.cmd.Stderr = &w.errors
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.out = bufio.NewScanner(out)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// ask sends a command; false: the worker was killed before it answered.
func (w *worker) ask(command string) (r reply, answered bool) {
	if _, err := fmt.Fprintln(w.in, command); err != nil {
		return r, false
	}
	if !w.out.Scan() {
		return r, false
	}
	if err := json.Unmarshal(w.out.Bytes(), &r); err != nil {
		w.t.Errorf("a worker said %q", w.out.Bytes())
	}
	return r, true
}

// kill is kill -9 in the middle of whatever it does.
func (w *worker) kill() { _ = w.cmd.Process.Kill() }

// end waits for a killed worker; a panic of its own is not a kill.
func (w *worker) end() {
	_ = w.in.Close()
	_ = w.cmd.Wait() // killed, or at the end of its commands
	if text := w.errors.String(); text != "" {
		w.t.Errorf("a worker said on its stderr: %s", text)
	}
}
