// Package holder says how a running daemon was started, and so which command stops it: a
// daemon that a person started in a terminal is not stopped by systemctl. It is pure: the
// caller passes in what the kernel says.
package holder

import (
	"fmt"
	"strings"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Holder is the process that holds a slot. The zero Holder is a process that cannot be seen
// from here, as in another PID namespace, or none.
type Holder struct {
	PID  int    // as this process sees it; 0: it cannot be seen
	UID  int    // its user
	Unit string // the instance's unit without its suffix; empty: it was not started as a unit
	User bool   // Unit belongs to that user's own service manager, not to the machine's
}

// New is the process pid of uid with the text of its /proc/<pid>/cgroup, which may be
// empty. Only the unit of w itself counts: a daemon that was started by hand may be in the
// cgroup of the terminal, of sshd or of cron, and stopping one of those would be wrong.
func New(pid, uid int, cgroup string, w wallet.Wallet) Holder {
	h := Holder{PID: pid, UID: uid}
	unit := "agentkeys-daemon@" + w.String()
	outer := access.UnitOfCgroup(cgroup)
	switch {
	case outer == unit+".service":
		h.Unit = unit
	case strings.HasPrefix(outer, "user@") && contains(cgroup, unit+".service"):
		h.Unit, h.User = unit, true
	}
	return h
}

// contains reports whether a path in the text has unit as one of its elements.
func contains(cgroup, unit string) bool {
	for line := range strings.Lines(cgroup) {
		for part := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), "/") {
			if part == unit {
				return true
			}
		}
	}
	return false
}

// Seen reports whether the process can be seen from here.
func (h Holder) Seen() bool { return h.PID > 0 }

// Stop is the command that stops it, typed by euid; empty if it cannot be seen.
func (h Holder) Stop(euid int) string { return h.command("stop", euid) }

// Restart is the command that restarts it. A daemon that no unit started is only stopped;
// the person who started it has to start it again.
func (h Holder) Restart(euid int) string { return h.command("restart", euid) }

// Reload is the command that makes it read its settings again.
func (h Holder) Reload(euid int) string {
	return strings.Replace(h.command("reload", euid), "kill ", "kill -HUP ", 1)
}

func (h Holder) command(verb string, euid int) string {
	switch {
	case h.Unit != "" && !h.User:
		return "sudo systemctl " + verb + " " + h.Unit
	case h.Unit != "" && h.UID != euid:
		return fmt.Sprintf("sudo -u '#%d' XDG_RUNTIME_DIR=/run/user/%d systemctl --user %s %s", h.UID, h.UID, verb, h.Unit)
	case h.Unit != "":
		return "systemctl --user " + verb + " " + h.Unit
	case !h.Seen():
		return ""
	case h.UID != euid && euid != 0:
		return fmt.Sprintf("sudo kill %d", h.PID)
	}
	return fmt.Sprintf("kill %d", h.PID)
}

// String describes it within a sentence.
func (h Holder) String() string {
	switch {
	case h.Unit != "" && h.User:
		return fmt.Sprintf("the unit %s of uid %d", h.Unit, h.UID)
	case h.Unit != "":
		return "the unit " + h.Unit
	case h.Seen():
		return fmt.Sprintf("process %d, which no unit started", h.PID)
	}
	return "a process that cannot be seen from here"
}
