package main

import (
	"strings"
	"sync"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/sdnotify"
)

// notifier gives the agent systemd's words.
type notifier struct {
	*sdnotify.Notifier
	health *health.Conditions

	mu    sync.Mutex
	state agent.State
	line  string // of the agent
}

// Reloading carries the time that systemd asks for.
func (n *notifier) Reloading() { n.Notifier.Reloading(sdnotify.Monotonic()) }

// Status adds to the agent's line the errors that it does not tell.
func (n *notifier) Status(state agent.State, line string) {
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
	if words := n.words(); words != "" {
		n.Notifier.Status(words)
	}
}

// words is the line for systemctl status.
func (n *notifier) words() string {
	var parts []string
	if n.line != "" { // else the agent has not looked yet
		parts = append(parts, n.line)
	}
	for _, c := range n.health.Unsaid(string(n.state)) {
		parts = append(parts, c.Message)
	}
	return strings.Join(parts, "; ")
}
