package checkup

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// askTimeout bounds one request to a daemon or broker.
const askTimeout = 5 * time.Second

// notPermitted: the system does not allow this user to connect.
const notPermitted = "permission denied"

// socketLimit is sun_path without its NUL: 107 bytes on Linux, 103 on macOS.
const socketLimit = len(syscall.RawSockaddrUnix{}.Path) - 1

// socket finds the daemon's interface, or what is in its place.
func (m *machine) socket(ctx context.Context, w wallet.Wallet) *doctor.Socket {
	own, skipped := m.place(w)
	if path, live := paths.FindSocket(m.cfg.Getenv, m.home, w); live {
		s := askDaemon(ctx, path, w)
		s.UID = paths.Owner(path)
		if filepath.Dir(path) == own {
			s.Skipped = skipped
		}
		return s
	}
	for _, dir := range paths.SocketDirs(m.cfg.Getenv, m.home, w) {
		s := unanswered(ctx, filepath.Join(dir, words.AgentSocket))
		if s != nil && (s.State != doctor.SocketForeign || dir == own) { // otherwise a daemon would use the next place
			return s
		}
	}
	return &doctor.Socket{Path: filepath.Join(own, words.AgentSocket), Skipped: skipped, Limit: socketLimit, State: doctor.SocketAbsent, UID: -1}
}

// unanswered describes the file at path if no daemon answers there; nil: there is none.
func unanswered(ctx context.Context, path string) *doctor.Socket {
	s := &doctor.Socket{Path: path, Limit: socketLimit, State: doctor.SocketClosed, UID: -1}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		s.Err = "permission denied on its directory"
		return s
	case err != nil:
		return nil
	case info.Mode().Type() != fs.ModeSocket:
		s.State = doctor.SocketForeign
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close() // nothing was sent
		s.Err = "it began to listen just now"
	case errors.Is(err, syscall.ECONNREFUSED):
		s.State = doctor.SocketStale
	case errors.Is(err, fs.ErrPermission):
		s.Err = notPermitted
	default:
		s.State, s.Err = doctor.SocketSilent, err.Error()
	}
	return s
}

func askDaemon(ctx context.Context, path string, w wallet.Wallet) *doctor.Socket {
	s := &doctor.Socket{Path: path, Limit: socketLimit, State: doctor.SocketClosed}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	status, err := localclient.New(path).Status(ctx)
	var refused *protocol.Problem
	var away *localclient.UnreachableError
	switch {
	case errors.As(err, &refused):
		s.Err = cmp.Or(refused.Detail, err.Error())
		s.Namespace = refused.CallerUnseen()
		return s
	case errors.Is(err, fs.ErrPermission):
		s.Err = notPermitted
		return s
	case errors.As(err, &away):
		s.State, s.Err = doctor.SocketSilent, away.Reason()
		return s
	case err != nil:
		s.State, s.Err = doctor.SocketSilent, err.Error()
		return s
	case status.Wallet != w:
		s.State, s.Err = doctor.SocketSilent, "it answers for another wallet"
		return s
	}
	s.State, s.Daemon = doctor.SocketAnswers, &status
	return s
}
