package keychain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	dbus "github.com/godbus/dbus/v5"
)

// errAuth: there is a bus, and it refused this user.
var errAuth = errors.New("the session bus refused us")

// errBus: the bus cannot be reached, or went away.
var errBus = errors.New("no session bus")

// dial connects to the first endpoint that answers. The library's own dial is not used,
// because it has no deadline for connect, AUTH and Hello. Errors: errBus, errAuth, ctx's.
func dial(ctx context.Context, places []endpoint, signals dbus.SignalHandler) (*dbus.Conn, endpoint, error) {
	var firstErr error
	for _, place := range places {
		conn, err := dialOne(ctx, place, signals)
		if err == nil {
			return conn, place, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return nil, endpoint{}, firstErr
}

func dialOne(ctx context.Context, place endpoint, signals dbus.SignalHandler) (*dbus.Conn, error) {
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", place.socket)
	if err != nil {
		return nil, dialError(ctx, err)
	}
	// The library reads without a context until Hello was answered.
	release := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	defer release()
	conn, err := dbus.NewConn(socket, dbus.WithSignalHandler(signals))
	if err != nil {
		_ = socket.Close() // the error of the connection counts
		return nil, fmt.Errorf("%w: %w", errBus, err)
	}
	if err := greet(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func greet(ctx context.Context, conn *dbus.Conn) error {
	err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		// A bus of another user ends the connection here and gives no refusal.
		return fmt.Errorf("%w: %w", errAuth, err)
	}
	if err := conn.Hello(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", errBus, err)
	}
	return nil
}

func dialError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: %w", errAuth, err)
	}
	return fmt.Errorf("%w: %w", errBus, err)
}

// lost reports whether err is what the library says of a connection that broke.
func lost(err error) bool {
	return errors.Is(err, dbus.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// noSignals is for connections that subscribe to no signal.
type noSignals struct{}

func (noSignals) DeliverSignal(string, string, *dbus.Signal) {}
