// Package manager sends commands to systemd over D-Bus: to reload, and to start a unit and
// wait for the result.
package manager

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
)

// ErrNotStarted: the unit was started and did not come up; its journal says why.
var ErrNotStarted = errors.New("the unit did not start")

// Manager is a connection to systemd.
type Manager struct{ conn *dbus.Conn }

// Dial connects to systemd over the system bus, or as root directly where no bus runs. The
// connection ends with ctx.
func Dial(ctx context.Context) (*Manager, error) {
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach systemd: %w", err)
	}
	return &Manager{conn}, nil
}

// Close closes the connection.
func (m *Manager) Close() { m.conn.Close() }

// Reload makes systemd read unit files and drop-ins again.
func (m *Manager) Reload(ctx context.Context) error {
	if err := m.conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("reload systemd: %w", err)
	}
	return nil
}

// Start is `systemctl enable --now`: it enables the unit, starts it and waits for the result.
// A unit that runs is reloaded, so that it reads its settings and slot again; with restart it
// is restarted. It returns the unit's status text (STATUS=). ErrNotStarted: the start failed.
func (m *Manager) Start(ctx context.Context, unit string, restart bool) (status string, err error) {
	if _, _, err := m.conn.EnableUnitFilesContext(ctx, []string{unit}, false, false); err != nil {
		return "", fmt.Errorf("enable %s: %w", unit, err)
	}
	if err := m.Reload(ctx); err != nil {
		return "", err
	}
	queue := m.conn.ReloadOrRestartUnitContext
	if restart {
		queue = m.conn.RestartUnitContext
	}
	result := make(chan string, 1)
	if _, err := queue(ctx, unit, "replace", result); err != nil && ctx.Err() == nil {
		return "", fmt.Errorf("start %s: %w", unit, err)
	}
	select {
	case got := <-result:
		if got != "done" {
			return "", fmt.Errorf("start %s, result %q: %w", unit, got, ErrNotStarted)
		}
	case <-ctx.Done():
		return "", fmt.Errorf("start %s: %w: %w", unit, ErrNotStarted, ctx.Err())
	}
	return m.status(ctx, unit), nil
}

// status is empty if the unit has no status text, which is no error.
func (m *Manager) status(ctx context.Context, unit string) string {
	p, err := m.conn.GetServicePropertyContext(ctx, unit, "StatusText")
	if err != nil {
		return ""
	}
	text, _ := p.Value.Value().(string)
	return text
}
