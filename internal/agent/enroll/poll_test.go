package enroll_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// proxy cuts every poll that waits for longer than limit.
type proxy struct {
	*fakeBroker
	limit time.Duration
}

func (p proxy) PollPairing(ctx context.Context, token secret.String, wait time.Duration) (*protocol.Granted, error) {
	long, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	reply, err := p.fakeBroker.PollPairing(long, token, wait)
	if long.Err() != nil {
		return nil, fmt.Errorf("%w: HTTP 504", protocol.ErrUnreachable)
	}
	return reply, err
}

// A person waits for the approval behind a proxy that cuts every poll.
func TestPairingBehindAProxyThatCutsPolls(t *testing.T) {
	t.Parallel()
	for _, limit := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 10 * time.Second} {
		t.Run(limit.String(), func(t *testing.T) {
			onBoard(t, func(t *testing.T, b *board) {
				var approved time.Time
				b.via = proxy{b.broker, limit}
				b.onCode = func(c pairing.Code) {
					go func() {
						time.Sleep(3*time.Minute + 300*time.Millisecond)
						approved = time.Now()
						b.owner.approve(c)
					}()
				}
				must(b.pair(t.Context(), wish()))(t)
				if late := time.Since(approved); late > 2*time.Second {
					t.Errorf("the board heard of its approval after %s", late)
				}
			})
		})
	}
}
