package main

import (
	"strings"
	"sync"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
	"github.com/agentkeys/agentkeys/internal/words"
)

// notifier tells systemd what the agent does.
type notifier struct {
	*notify.Notifier
	health *health.Conditions

	mu    sync.Mutex
	state words.State
	line  string // of the agent
}

// Reloading carries the time that systemd asks for.
func (n *notifier) Reloading() { n.Notifier.Reloading(notify.Monotonic()) }

// Status adds to the agent's line the errors that it does not tell.
func (n *notifier) Status(state words.State, line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state, n.line = state, line
	n.tell()
}

// again tells the line once more, because a condition began or ended.
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
	if n.line != "" { // else the agent has not looked yet
		parts = append(parts, n.line)
	}
	for _, c := range n.health.Unsaid(n.state) {
		parts = append(parts, c.Message)
	}
	return strings.Join(parts, "; ")
}
