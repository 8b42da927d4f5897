package keychain

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/store"
)

// securityPath is the one that go-keyring uses.
const securityPath = "/usr/bin/security"

type macOS struct {
	tool  security
	owner string
}

func newPlatform(cfg Config) platform {
	m := macOS{tool: security{path: securityPath, env: environment(cfg.Env, "")}}
	// The boot session takes the place of the provider's name: a fence of an earlier boot is
	// over. An empty one proves nothing.
	if id, err := unix.Sysctl("kern.bootsessionuuid"); err == nil {
		m.owner = id
	}
	return m
}

func (m macOS) probe(ctx context.Context) (store.Probe, string) {
	p := m.tool.probe(ctx)
	p.Owner = m.owner
	return p, ""
}

// watch cannot listen: macOS sends a command line program no signal. The next probe finds out.
func (macOS) watch(context.Context, func()) bool { return false }

func (macOS) maxValue() int                   { return securityMaxValue }
func (macOS) fits(account, value string) bool { return securityFits(account, value) }
