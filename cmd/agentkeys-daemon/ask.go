package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// stateNoAnswer is what `status` says where something listens and tells no status.
const stateNoAnswer = "no_answer"

// askTime bounds what one daemon costs a `status` of all.
const askTime = 5 * time.Second

var errOtherWallet = errors.New("it answers for another wallet")

// ask is what the daemon of w at path says, and whether it can serve.
func ask(ctx context.Context, path string, w wallet.Wallet) (st protocol.Status, ready bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	client := localclient.New(path)
	if st, err = client.Status(ctx); err != nil {
		return st, false, err
	}
	if st.Wallet != w {
		return st, false, &localclient.UnreachableError{Path: path, Err: errOtherWallet}
	}
	ready, err = client.Ready(ctx)
	return st, ready, err
}

// silent tells of a daemon that gave no status. One that refused says why itself.
func (p *program) silent(path string, w wallet.Wallet, err error) (exit int, st protocol.Status) {
	f := classify(err)
	var away *localclient.UnreachableError
	if errors.As(err, &away) {
		f = &failure{exit: exitUnreachable, code: "daemon_away", hint: p.restart(path, w), err: err}
	}
	return f.exit, failed(w, stateNoAnswer, f)
}

// restart is the command for the daemon that listens at path.
func (p *program) restart(path string, w wallet.Wallet) string {
	if dir := p.getenv("XDG_RUNTIME_DIR"); dir != "" && strings.HasPrefix(path, dir+"/") {
		return "systemctl --user restart agentkeys-daemon@" + w.String()
	}
	return "systemctl restart agentkeys-daemon@" + w.String()
}

// failed is the status of an instance of which only f is known.
func failed(w wallet.Wallet, state string, f *failure) protocol.Status {
	return protocol.Status{
		Wallet: w, State: state, Sync: protocol.StatusSync{AgeSeconds: -1},
		Storage:    protocol.StatusStorage{Backend: "none", KeychainState: ""},
		Conditions: []protocol.StatusCondition{{Code: f.code, Severity: "error", Message: f.err.Error(), Hint: f.hint}},
	}
}
