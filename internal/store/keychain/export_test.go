package keychain

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/store"
)

// What the external tests replace.
type (
	Platform interface {
		Probe(ctx context.Context) (store.Probe, string)
		Watch(ctx context.Context, wake func()) bool
	}
	Endpoint = endpoint
)

type testPlatform struct{ Platform }

func (p testPlatform) probe(ctx context.Context) (store.Probe, string) { return p.Probe(ctx) }
func (p testPlatform) watch(ctx context.Context, wake func()) bool     { return p.Watch(ctx, wake) }
func (testPlatform) maxValue() int                                     { return 0 }
func (testPlatform) fits(string, string) bool                          { return true }

// NewWith is New with another platform and a random that always is 0.5: no jitter.
func NewWith(cfg Config, p Platform) *Keychain {
	k := newKeychain(cfg.withDefaults(), testPlatform{p})
	k.random = func() float64 { return 0.5 }
	return k
}

// ProbeSecurity is the macOS probe with another program in place of `security`.
func ProbeSecurity(ctx context.Context, path string, env []string) store.Probe {
	return security{path: path, env: env}.probe(ctx)
}

var (
	ParseAddresses = parseAddresses
	Endpoints      = endpoints
	ParseRequest   = parseRequest
	SecurityFits   = securityFits
	SecurityError  = securityExitError
	NextInterval   = nextInterval
	Spread         = spread
)

const (
	MaxValueMacOS   = securityMaxValue
	WaitingInterval = waitingInterval
)

func (e endpoint) Socket() string  { return e.socket }
func (e endpoint) Address() string { return e.address }

// ParseAnswer parses an answer and returns its error.
func ParseAnswer(data []byte) (ok bool, err error) {
	a, ok := parseAnswer(data)
	return ok, a.err()
}
