package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// codeDaemonAway: a daemon runs and does not answer.
const codeDaemonAway = "daemon_away"

// askTime is how long one daemon may delay a `status` of all.
const askTime = 5 * time.Second

var errOtherWallet = errors.New("it answers for another wallet")

// ask is the status that the daemon of w at path reports, and whether it can serve.
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

// silent describes a daemon that gave no status. For a daemon that refused, it has its reason.
func silent(path string, w wallet.Wallet, err error) (exit int, st protocol.Status) {
	f := failureOf(err)
	var away *localclient.UnreachableError
	var refused *protocol.Problem
	switch {
	case errors.As(err, &away):
		h := checkup.Holder(path, "", w)
		err = fmt.Errorf("%w (%s)", err, h)
		if errors.Is(away.Err, errOtherWallet) {
			err = fmt.Errorf("%s, of %s, answers for another wallet", path, h)
		}
		f = &cli.Failure{Exit: words.ExitUnreachable, Code: codeDaemonAway, Hint: cmp.Or(h.Restart(os.Geteuid()), hintDoctor(w)), Err: err}
	case errors.As(err, &refused) && refused.CallerUnseen():
		f = &cli.Failure{Exit: f.Exit, Code: f.Code, Hint: condition.HintContainer, Err: errors.New(refused.Detail)}
	case errors.As(err, &refused) && refused.Detail != "":
		f = &cli.Failure{Exit: f.Exit, Code: f.Code, Hint: name + " run --print-config --wallet " + w.String(), Err: errors.New(refused.Detail)}
	}
	return f.Exit, failed(w, words.StateNoAnswer, f)
}

// failed is the status of an instance of which only f is known. Where its session is stored was not
// examined.
func failed(w wallet.Wallet, state words.State, f *cli.Failure) protocol.Status {
	return protocol.Status{
		Wallet: w, State: state, Sync: protocol.StatusSync{AgeSeconds: -1},
		Storage:    protocol.StatusStorage{Backend: "", KeychainState: ""},
		Conditions: []protocol.StatusCondition{{Code: f.Code, Severity: "error", Message: f.Error(), Hint: f.Hint}},
	}
}

// closedSocket is the first agent.sock of dirs that this user may not look at or connect to; empty:
// there is none.
func closedSocket(dirs []string) string {
	for _, dir := range dirs {
		path := filepath.Join(dir, words.AgentSocket)
		conn, err := (&net.Dialer{Timeout: askTime}).Dial("unix", path)
		if err == nil {
			_ = conn.Close() // it listens now
		}
		if errors.Is(err, fs.ErrPermission) {
			return path
		}
	}
	return ""
}
