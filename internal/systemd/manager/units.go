package manager

import (
	"context"
	"fmt"
)

// Unit is a service that systemd has loaded, in whatever state.
type Unit struct {
	Name string
	User string // empty: not known
}

// Services lists the services that systemd has loaded and whose name matches pattern, as
// `systemctl list-units --all` does: running, failed, and stopped ones that something refers to.
func (m *Manager) Services(ctx context.Context, pattern string) ([]Unit, error) {
	loaded, err := m.conn.ListUnitsByPatternsContext(ctx, nil, []string{pattern})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	units := make([]Unit, 0, len(loaded))
	for _, u := range loaded {
		units = append(units, Unit{Name: u.Name, User: m.User(ctx, u.Name)})
	}
	return units, nil
}

// User is the user as whom a service runs, also one that is not loaded; empty: that is not known.
func (m *Manager) User(ctx context.Context, unit string) string {
	p, err := m.conn.GetUnitTypePropertyContext(ctx, unit, "Service", "User")
	if err != nil {
		return ""
	}
	user, _ := p.Value.Value().(string)
	return user
}
