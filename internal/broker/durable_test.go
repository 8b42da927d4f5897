package broker_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

func TestEverythingOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All(), "openrouter")
	asked := opened(t, s, "")
	epoch := s.Broker.Info().Epoch
	s.Stop()
	s.Restart()
	if got := s.Broker.Info().Epoch; got != epoch {
		t.Errorf("epoch %s became %s", epoch, got)
	}
	if _, err := s.Broker.Record(ctx(t), d.Credentials(), d.Wallet, "openrouter"); err != nil {
		t.Error(err)
	}
	if got := find(t, s, owner, asked.Lookup); got != "" {
		t.Errorf("the open pairing: %q", got)
	}
	if err := s.Broker.Revoke(ctx(t), owner.Credentials(), d.Wallet); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Restart()
	if got := code(t, second(s.Broker.Session(ctx(t), d.Credentials()))); got != protocol.CodeSessionRevoked {
		t.Errorf("after revocation: %q", got)
	}
}

func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	var log bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Stop()
	s.Restart()
	setup := s.SetupToken()
	owner := brokertest.NewOwner()
	if _, err := s.Broker.CreateAccount(ctx(t), brokertest.As(setup), owner.Account(t)); err != nil {
		t.Fatal(err)
	}
	g := &stage{t: t, s: s, owner: owner, d: s.Agent(owner, scope.All(), "openrouter")}
	next := session.NewToken()
	g.must(g.use(g.d.Token))
	g.must(g.renew(g.d.Token, next, g.d.Sign))
	g.must(g.use(next))
	secrets := map[string]secret.String{
		"set-up token": setup, "owner's token": owner.Token, "agent's token": g.d.Token, "next token": next,
		"device key": g.d.Key, "device sign key": g.d.Sign, "owner's identity": owner.Identity, "owner's signing key": owner.Signing,
		"value": secret.New("value of openrouter"),
	}
	search(t, "the log", log.Bytes(), secrets)
	err := filepath.WalkDir(s.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		search(t, path, data, secrets)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func search(t *testing.T, where string, data []byte, secrets map[string]secret.String) {
	t.Helper()
	for name, s := range secrets {
		text := []byte(s.Reveal())
		forms := [][]byte{text, []byte(hex.EncodeToString(text)), []byte(base64.StdEncoding.EncodeToString(text)), []byte(base64.RawURLEncoding.EncodeToString(text))}
		if raw, err := base64.RawURLEncoding.DecodeString(s.Reveal()); err == nil && len(raw) == 32 {
			forms = append(forms, raw, []byte(hex.EncodeToString(raw)), []byte(strings.ToUpper(hex.EncodeToString(raw))))
		}
		for _, form := range forms {
			if bytes.Contains(data, form) {
				t.Errorf("%s holds the %s", where, name)
			}
		}
	}
}

func TestAccountsAreMadeOnce(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	setup := s.SetupToken()
	body := brokertest.NewOwner().Account(t)
	create := func(token secret.String, body protocol.Account) string {
		return code(t, second(s.Broker.CreateAccount(ctx(t), brokertest.As(token), body)))
	}
	if got := create(session.NewToken(), body); got != protocol.CodeTokenUnknown {
		t.Errorf("a wrong set-up token: %q", got)
	}
	if got := create(setup, body) + create(setup, body); got != "" {
		t.Errorf("the same twice: %q", got)
	}
	if got := create(setup, brokertest.NewOwner().Account(t)); got != protocol.CodeTokenUnknown {
		t.Errorf("a used set-up token: %q", got)
	}
	late := s.SetupToken()
	s.Advance(24 * time.Hour)
	if got := create(late, brokertest.NewOwner().Account(t)); got != protocol.CodeTokenUnknown {
		t.Errorf("after 24 h: %q", got)
	}
	again := brokertest.NewOwner()
	taken := again.Account(t)
	taken.TokenSHA256 = body.TokenSHA256
	if got := create(s.SetupToken(), taken); got != protocol.CodeDenied {
		t.Errorf("a body that was changed: %q", got)
	}
}
