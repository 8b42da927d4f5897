package main

import (
	"strings"
	"sync"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
	"github.com/agentkeys/agentkeys/internal/words"
)

// notifier reports the agent's state to systemd.
type notifier struct {
	*notify.Notifier
	health *health.Conditions

	mu    sync.Mutex
	state words.State
	line  string // of the agent
}

// Reloading adds the time that systemd requires.
func (n *notifier) Reloading() { n.Notifier.Reloading(notify.Monotonic()) }

// Status sends the agent's line and the errors that are not part of it.
func (n *notifier) Status(state words.State, line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state, n.line = state, line
	n.tell()
}

// again sends the line once more, because a condition began or ended.
func (n *notifier) again() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell()
}

func (n *notifier) tell() {
	if line := n.told(); line != "" {
		n.Notifier.Status(line)
	}
}

// told is the line for systemctl status.
func (n *notifier) told() string {
	var parts []string
	if n.line != "" { // otherwise the agent has not reported yet
		parts = append(parts, n.line)
	}
	for _, c := range n.health.Unsaid(n.state) {
		parts = append(parts, c.Message)
	}
	return strings.Join(parts, "; ")
}
