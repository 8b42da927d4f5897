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
	// The boot session: a fence of an earlier boot is over. Empty is never equal to one.
	if id, err := unix.Sysctl("kern.bootsessionuuid"); err == nil {
		m.owner = id
	}
	return m
}

func (m macOS) look(ctx context.Context) (store.Probe, string) {
	p := m.tool.look(ctx)
	p.Owner = m.owner
	return p, ""
}

// watch: macOS tells a command line program nothing; the next look finds out.
func (macOS) watch(context.Context, func()) bool { return false }

func (macOS) maxValue() int                   { return securityMaxValue }
func (macOS) fits(account, value string) bool { return securityFits(account, value) }
