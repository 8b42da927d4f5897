package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
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

func TestTheEndIsNoError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		waits := func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(4 * time.Second) // its last requests
			return ctx.Err()
		}
		start := time.Now()
		err := supervise.Run(ctx, slog.New(slog.DiscardHandler), func() {}, supervise.Func("waits", waits))
		if took := time.Since(start); err != nil || took != time.Minute+4*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestTheFirstErrorIsTheResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := errors.New("first"), errors.New("second")
		err := supervise.Run(t.Context(), slog.New(slog.DiscardHandler), func() {},
			supervise.Func("a", func(ctx context.Context) error { <-ctx.Done(); return second }),
			supervise.Func("b", func(context.Context) error { time.Sleep(time.Second); return first }))
		if !errors.Is(err, first) || !strings.HasPrefix(err.Error(), "b: ") {
			t.Fatal(err)
		}
	})
}

func TestAPanicEndsTheProgram(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		panics func()
		want   string
	}{
		"the runtime's own":   {func() { _ = make([]int, len(t.Name())-1000) }, "makeslice"},
		"a value of the code": {func() { panic("geheim") }, "a string"},
		"an error":            {func() { panic(errors.New("geheim")) }, "a *errors.errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				err := supervise.Run(t.Context(), slog.New(slog.NewTextHandler(&out, nil)), func() {},
					supervise.Func("bad", func(context.Context) error { tt.panics(); return nil }),
					supervise.Func("waits", func(ctx context.Context) error { <-ctx.Done(); return nil }))
				if !errors.Is(err, supervise.ErrPanic) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v", err)
				}
				for _, want := range []string{"task=bad", "supervise_test.go", tt.want} {
					if !strings.Contains(out.String(), want) {
						t.Errorf("the log lacks %q: %s", want, out.String())
					}
				}
				if strings.Contains(out.String()+err.Error(), "geheim") {
					t.Errorf("the value is shown: %v\n%s", err, out.String())
				}
			})
		})
	}
}
