package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"agentkeys": main})
}

// TestScripts runs testdata/script/*.txtar, the specification of the command line, as
// processes in front of one real broker. Each script is an owner of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) { // by nohup, and then by every child: no shell could trap it
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	srv := brokertest.Start(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("AGENTKEYS_HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("AGENTKEYS_SESSION_STORE", "file")
			env.Setenv("AGENTKEYS_BROKER", srv.URL)
			env.Setenv("XDG_RUNTIME_DIR", filepath.Join(env.WorkDir, "run"))
			env.Values["setup"] = srv.SetupToken // called when the script asks: one token lives at a time
			env.Values["boards"] = map[string]*testBoard{}
			return os.Mkdir(filepath.Join(env.WorkDir, "run"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": cmdExits, "account": cmdAccount, "board": cmdBoard, "accept": cmdAccept, "await": cmdAwait, "nul": cmdNUL,
		},
	})
}

// cmdExits: `exits CODE program args...` runs it and wants exactly that exit code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// settingUp is held by the script that makes its account: a broker has one set-up token at
// a time.
var settingUp sync.Mutex

// cmdAccount makes this script's account.
func cmdAccount(ts *testscript.TestScript, _ bool, _ []string) {
	setup, ok := ts.Value("setup").(func() secret.String)
	if !ok {
		ts.Fatalf("no broker")
	}
	settingUp.Lock()
	defer settingUp.Unlock()
	file := ts.MkAbs("setup-token")
	ts.Check(os.WriteFile(file, []byte(setup().Reveal()+"\n"), 0o600))
	ts.Check(ts.Exec("agentkeys", "init", "--setup-token-file", file, "--json"))
}

// testBoard is the other side of a pairing.
type testBoard struct {
	code    pairing.Code
	session session.Session
	kind    string
	request []byte
}

// cmdBoard: `board [IDENTITY]` shows a code, in $CODE; with an identity for a recovery.
func cmdBoard(ts *testscript.TestScript, _ bool, args []string) {
	b := &testBoard{code: pairing.NewCode(), kind: pairing.KindPair}
	b.session = session.Session{
		Token: session.NewToken(), DeviceKey: seal.NewSeed(), DeviceSignKey: seal.NewSeed(), Broker: ts.Getenv("AGENTKEYS_BROKER"),
		TTLSeconds: int64(session.TTL / time.Second), CreatedAt: time.Now().Unix(),
	}
	r := pairing.Request{TokenSHA256: session.TokenHash(b.session.Token), RequestedScope: scope.None(), Host: "board-1"}
	if len(args) > 0 {
		b.kind, r.Identity = pairing.KindRecover, args[0]
	}
	r.Kind = b.kind
	var err error
	r.DeviceKey, err = seal.Recipient(b.session.DeviceKey)
	ts.Check(err)
	r.DeviceSignKey, err = seal.SigningKey(b.session.DeviceSignKey)
	ts.Check(err)
	b.request, err = r.Encode()
	ts.Check(err)
	ts.Check(b.open(ts, r.TokenSHA256))
	ts.Setenv("CODE", b.code.Show())
	boards(ts)[b.code.Show()] = b
}

// open asks for the pairing, with another code when another board has that one.
func (b *testBoard) open(ts *testscript.TestScript, tokenSHA256 string) error {
	for {
		key, err := pairing.DeriveKey(b.code, b.request)
		if err != nil {
			return err
		}
		_, err = scriptClient(ts).OpenPairing(context.Background(), protocol.OpenPairing{
			Lookup: b.code.Lookup(), TokenSHA256: tokenSHA256, Request: b.request, MAC: key.RequestMAC(),
		})
		if p := new(protocol.Problem); errors.As(err, &p) && p.Code == protocol.CodeConflict {
			b.code = pairing.NewCode()
			continue
		}
		return err
	}
}

func boards(ts *testscript.TestScript) map[string]*testBoard {
	all, ok := ts.Value("boards").(map[string]*testBoard)
	if !ok {
		ts.Fatalf("no boards")
	}
	return all
}

// cmdAccept: the board takes its grant and saves its slot; its wallet is in $NAME.
func cmdAccept(ts *testscript.TestScript, _ bool, args []string) {
	b := boards(ts)[ts.Getenv("CODE")]
	granted, err := scriptClient(ts).PollPairing(context.Background(), b.session.Token, 0)
	ts.Check(err)
	key, err := pairing.DeriveKey(b.code, b.request)
	ts.Check(err)
	g, m, err := pairing.CheckGranted(key, b.request, wallet.Wallet{}, *granted)
	ts.Check(err)
	s := b.session
	s.Wallet, s.Scope, s.Owner = m.Wallet, m.Scope, &session.Owner{Wallet: g.Owner, SigningKey: g.OwnerSignKey}
	slots, err := store.New(store.Config{Home: ts.Getenv("AGENTKEYS_HOME"), Mode: words.ModeFile})
	ts.Check(err)
	_, err = slots.Save(context.Background(), session.DaemonID(m.Wallet), s)
	ts.Check(err)
	ts.Setenv(args[0], m.Wallet.String())
	ts.Setenv(args[0]+"_SHOWN", m.Wallet.EIP55())
}

// cmdAwait waits until a file exists.
func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("%s did not appear", args[0])
}

// cmdNUL writes a file that no environment variable can hold.
func cmdNUL(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("a\x00b\xff"), 0o600))
}

func scriptClient(ts *testscript.TestScript) *brokerclient.Client {
	c, err := brokerclient.New(brokerclient.Config{URL: ts.Getenv("AGENTKEYS_BROKER")})
	ts.Check(err)
	return c
}
