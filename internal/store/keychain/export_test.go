package keychain

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/store"
)

// The seams of the external tests.
type (
	Platform interface {
		Look(ctx context.Context) (store.Probe, string)
		Watch(ctx context.Context, poke func()) bool
	}
	Endpoint = endpoint
)

type testPlatform struct{ Platform }

func (p testPlatform) look(ctx context.Context) (store.Probe, string) { return p.Look(ctx) }
func (p testPlatform) watch(ctx context.Context, poke func()) bool    { return p.Watch(ctx, poke) }
func (testPlatform) maxValue() int                                    { return 0 }
func (testPlatform) fits(string, string) bool                         { return true }

// NewWith is New with another platform and a random that always is 0.5: no jitter.
func NewWith(cfg Config, p Platform) *Keychain {
	k := newKeychain(cfg.withDefaults(), testPlatform{p})
	k.random = func() float64 { return 0.5 }
	return k
}

// LookSecurity is the macOS probe with a stand-in for `security`.
func LookSecurity(ctx context.Context, path string, env []string) store.Probe {
	return security{path: path, env: env}.look(ctx)
}

var (
	ParseAddresses = parseAddresses
	Endpoints      = endpoints
	ParseRequest   = parseRequest
	SecurityFits   = securityFits
	SecurityError  = securityExitError
	NextStep       = nextStep
	Spread         = spread
)

const (
	MaxValueMacOS = securityMaxValue
	WaitingStep   = waitingInterval
)

func (e endpoint) Socket() string  { return e.socket }
func (e endpoint) Address() string { return e.address }

// ParseAnswer parses an answer and returns its error.
func ParseAnswer(data []byte) (ok bool, err error) {
	a, ok := parseAnswer(data)
	return ok, a.err()
}
