package supervise_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/supervise"
)

// noListener stands for one: nothing is accepted in a bubble.
type noListener struct{ net.Listener }

// scripted is an optional listener whose attempts end as the test says. It records what Told gets.
type scripted struct {
	listen []error // the result of each attempt; later ones listen
	serve  []error // how serving ends, 90 s after it began; later it does not end
	tries  int
	said   []string
}

func (b *scripted) task() supervise.Task {
	return supervise.Optional{
		Name: "scripted", Random: func() float64 { return 0.999 },
		Listen: func(context.Context) (net.Listener, error) {
			if b.tries++; b.tries <= len(b.listen) {
				return noListener{}, b.listen[b.tries-1]
			}
			return noListener{}, nil
		},
		Serve: func(ctx context.Context, _ net.Listener) error {
			if len(b.serve) == 0 {
				<-ctx.Done()
				return nil
			}
			err := b.serve[0]
			b.serve = b.serve[1:]
			time.Sleep(90 * time.Second) // of the bubble's clock
			return err
		},
		Told: func(_ context.Context, err error) {
			if err == nil {
				b.said = append(b.said, "listens")
				return
			}
			b.said = append(b.said, err.Error())
		},
	}.Task()
}

func TestAnOptionalListenerEndsNothing(t *testing.T) {
	t.Parallel()
	taken, lost := syscall.EADDRINUSE, errors.New("lost")
	for name, c := range map[string]struct {
		scripted *scripted
		after    time.Duration
		want     []string
	}{
		"there at once":             {&scripted{}, time.Hour, []string{"listens"}},
		"taken, then free":          {&scripted{listen: []error{taken, taken}}, time.Minute, []string{taken.Error(), taken.Error(), "listens"}},
		"lost, and there again":     {&scripted{serve: []error{lost}}, 2 * time.Minute, []string{"listens", "lost", "listens"}},
		"ended without a word":      {&scripted{serve: []error{nil}}, 2 * time.Minute, []string{"listens", supervise.ErrNotServing.Error(), "listens"}},
		"lost twice is a first one": {&scripted{serve: []error{lost, lost}}, 4 * time.Minute, []string{"listens", "lost", "listens", "lost", "listens"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.after)
				defer cancel()
				err := supervise.Run(ctx, slog.New(slog.DiscardHandler), func() {},
					c.scripted.task(), supervise.Func("the work", func(ctx context.Context) error { <-ctx.Done(); return nil }))
				if err != nil || ctx.Err() == nil {
					t.Fatalf("%v; the work ended: %v", err, ctx.Err() == nil)
				}
				if diff := cmp.Diff(c.want, c.scripted.said); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A port that stays taken for a day costs one look a minute, and the first ones are soon.
func TestTheTriesOfAnOptionalListenerAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &scripted{listen: make([]error, 100_000)}
		for i := range b.listen {
			b.listen[i] = syscall.EADDRNOTAVAIL
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		if err := b.task().Run(ctx); err != nil {
			t.Fatal(err)
		}
		if b.tries < 24*60 || b.tries > 24*60+10 {
			t.Errorf("%d tries in a day", b.tries)
		}
	})
}
