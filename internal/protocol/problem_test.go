package protocol_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestWhatTheBrokersAnswerSays(t *testing.T) {
	t.Parallel()
	slow := &protocol.Problem{Code: protocol.CodeSlowDown, RetryAfter: 30}
	for name, c := range map[string]struct {
		err   error
		slow  bool
		after time.Duration
	}{
		"nothing went wrong":     {},
		"no answer of a broker":  {err: errors.New("slow_down")},
		"the code":               {err: slow, slow: true, after: 30 * time.Second},
		"the code, wrapped":      {err: fmt.Errorf("report: %w", slow), slow: true, after: 30 * time.Second},
		"the second of the list": {err: &protocol.Problem{Code: protocol.CodeUnavailable}, slow: true},
		"another code":           {err: &protocol.Problem{Code: protocol.CodeDenied, RetryAfter: 1}, after: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := protocol.HasCode(c.err, protocol.CodeSlowDown, protocol.CodeUnavailable); got != c.slow {
				t.Errorf("has the code: %t", got)
			}
			if got := protocol.RetryAfter(c.err); got != c.after {
				t.Errorf("retry after %s", got)
			}
		})
	}
}
