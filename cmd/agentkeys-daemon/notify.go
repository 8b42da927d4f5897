package main

import (
	"sync"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/sdnotify"
)

// notifier gives the agent systemd's words.
type notifier struct {
	*sdnotify.Notifier
	health *health.Conditions

	mu   sync.Mutex
	line string // of the agent
}

// Reloading carries the time that systemd asks for.
func (n *notifier) Reloading() { n.Notifier.Reloading(sdnotify.Monotonic()) }

// Status adds to the agent's line what the agent does not know.
func (n *notifier) Status(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.line = line
	n.tell()
}

// again tells the line once more, because a condition began or ended.
func (n *notifier) again() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell()
}

func (n *notifier) tell() {
	line := n.line
	if n.health.Has(condition.SettingsRefused) {
		if line != "" {
			line += "; "
		}
		line += "new settings were refused, the old ones are in force"
	}
	if line != "" {
		n.Notifier.Status(line)
	}
}
