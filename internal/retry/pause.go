package retry

import (
	"context"
	"time"
)

// Pause waits for d or until ctx ends, whichever is first; at once where d is not above 0.
// The caller looks at ctx.
func Pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
