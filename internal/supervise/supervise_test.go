package supervise_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/supervise"
)

type task struct {
	ready chan struct{}
	run   func(context.Context, chan struct{}) error
}

func (task) Name() string                    { return "task" }
func (t task) Ready() <-chan struct{}        { return t.ready }
func (t task) Run(ctx context.Context) error { return t.run(ctx, t.ready) }

func readyAfter(d time.Duration) task {
	return task{make(chan struct{}), func(ctx context.Context, ready chan struct{}) error {
		time.Sleep(d) // of the bubble's clock
		close(ready)
		<-ctx.Done()
		return ctx.Err()
	}}
}

func TestReadyWhenEachIsReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var after time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		err := supervise.Run(ctx, slog.New(slog.DiscardHandler), func() { after = time.Since(start); cancel() },
			readyAfter(time.Second), readyAfter(3*time.Second),
			supervise.Func("quick", func(context.Context) error { return nil }))
		if err != nil || after != 3*time.Second {
			t.Fatalf("%v after %v", err, after)
		}
	})
}

func TestOneFailureEndsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		err := supervise.Run(t.Context(), slog.New(slog.DiscardHandler), func() { t.Error("never ready") },
			task{make(chan struct{}), func(ctx context.Context, _ chan struct{}) error { <-ctx.Done(); return ctx.Err() }},
			supervise.Func("bad", func(context.Context) error { time.Sleep(time.Second); return boom }))
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
	})
}

func TestAPanicIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		err := supervise.Run(t.Context(), slog.New(slog.DiscardHandler), func() {},
			supervise.Func("bad", func(context.Context) error { panic("x") }),
			supervise.Func("waits", func(ctx context.Context) error { <-ctx.Done(); return nil }))
		if !errors.Is(err, supervise.ErrPanic) {
			t.Fatal(err)
		}
	})
}
