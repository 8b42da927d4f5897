// Package supervise runs the long-lived parts of a program at the same time. When one ends
// with an error, all end; the program is ready when each part is.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
)

// Task is one long-lived part. Run returns nil when ctx ends; returning nil earlier means
// that the part has nothing more to do. Ready is closed once the part does its work; nil
// counts as ready at once.
type Task interface {
	Name() string
	Run(ctx context.Context) error
	Ready() <-chan struct{}
}

// Func makes a Task of a function that is ready at once.
func Func(name string, run func(context.Context) error) Task { return fn{name, run} }

type fn struct {
	name string
	run  func(context.Context) error
}

func (f fn) Name() string                  { return f.name }
func (f fn) Run(ctx context.Context) error { return f.run(ctx) }
func (fn) Ready() <-chan struct{}          { return nil }

// Run runs every task until ctx ends or one fails, then ends the others, waits for all, and
// returns the first error. A panic of a task becomes its error, with the stack in the log, so
// that the process ends and is restarted in a defined state.
func Run(ctx context.Context, log *slog.Logger, onReady func(), tasks ...Task) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(tasks))
	for _, t := range tasks {
		go func() { results <- guard(ctx, log, t) }()
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if allReady(ctx, tasks) {
			onReady()
		}
	}()
	var first error
	for range tasks {
		if err := <-results; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	cancel()
	<-watched
	return first
}

func allReady(ctx context.Context, tasks []Task) bool {
	for _, t := range tasks {
		ready := t.Ready()
		if ready == nil {
			continue
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// ErrPanic is wrapped by the error of a task that panicked.
var ErrPanic = errors.New("task panicked")

// describe is the text of a panic of the runtime itself (an index, a nil map), which contains
// no data. Of any other value it is only the type, since the value may hold a secret.
func describe(r any) string {
	if fault, ok := r.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("a %T", r)
}

func guard(ctx context.Context, log *slog.Logger, t Task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("task panicked", "task", t.Name(), "panic", describe(r), "stack", string(debug.Stack()))
			err = fmt.Errorf("%s: %w: %s", t.Name(), ErrPanic, describe(r))
		}
	}()
	err = t.Run(ctx)
	if err == nil || (ctx.Err() != nil && errors.Is(err, ctx.Err())) {
		return nil
	}
	return fmt.Errorf("%s: %w", t.Name(), err)
}
