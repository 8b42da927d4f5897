package main

import (
	"context"
	"math/rand/v2"
	"net"

	"github.com/agentkeys/agentkeys/internal/supervise"
)

// metricsTask serves the metrics on an address of their own. The broker works without them, so an
// address that is taken, or not there yet, is reported once and tried again.
func (s serving) metricsTask(address string) supervise.Task {
	told := ""
	return supervise.Optional{
		Name: "metrics", Random: rand.Float64,
		Listen: func(ctx context.Context) (net.Listener, error) {
			l, err := listen(ctx, address)
			if err == nil {
				s.log.Info("metrics", "url", identity{}.url(l.Addr())+"/metrics")
			}
			return l, err
		},
		Serve: func(ctx context.Context, l net.Listener) error {
			return (&server{http: httpServer(s.wired.metrics, s.log), listener: l}).until(ctx)
		},
		Told: func(_ context.Context, err error) {
			now := ""
			if err != nil {
				now = err.Error()
			}
			if now == told {
				return
			}
			if told = now; told == "" {
				s.notifier.Status("")
				return
			}
			s.log.Warn("the metrics are not served: the address is tried again", "address", address, "error", err)
			s.notifier.Status("serving, but no metrics on " + address + ": " + told)
		},
	}.Task()
}
