// Package holder says how a daemon that runs was started, and so which command stops
// it: one that a person started in a terminal knows nothing of systemctl. Pure: what
// the kernel says is given in.
package holder

import (
	"fmt"
	"strings"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Holder is the process that holds a slot. The zero Holder is one that cannot be seen:
// of another PID namespace, or none.
type Holder struct {
	PID  int    // as this process sees it; 0: it does not
	UID  int    // whose
	Unit string // the instance's unit without its ending; empty: it was started otherwise
	User bool   // Unit is of that user's own service manager, not of the machine's
}

// New is the process pid of uid with the text of its /proc/<pid>/cgroup, which may be
// empty. Only the unit of w itself counts: a daemon that was started by hand may lie in
// the cgroup of the terminal, of sshd or of cron, and none of them is to be stopped.
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

// contains reports whether a path of the text has unit as one of its parts.
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

// Seen reports whether there is anything to say of it.
func (h Holder) Seen() bool { return h.PID > 0 }

// Stop is the command that euid types to stop it; empty where it is not seen.
func (h Holder) Stop(euid int) string { return h.command("stop", euid) }

// Restart is the command that starts it anew. One that no unit keeps is stopped: who
// started it starts it again.
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

// String names it within a sentence.
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
