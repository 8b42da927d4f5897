package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/retry"
)

func TestAPauseEndsWithItsTimeOrItsContext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ pause, context, want time.Duration }{
		"its time":      {time.Minute, time.Hour, time.Minute},
		"its context":   {time.Hour, time.Minute, time.Minute},
		"no time":       {0, time.Hour, 0},
		"time gone by":  {-time.Minute, time.Hour, 0},
		"context ended": {time.Hour, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.context)
				defer cancel()
				start := time.Now()
				retry.Pause(ctx, c.pause)
				if took := time.Since(start); took != c.want {
					t.Errorf("%s, want %s", took, c.want)
				}
			})
		})
	}
}
