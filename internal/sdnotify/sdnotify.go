// Package sdnotify tells systemd how the daemon is (sd_notify(3)): READY, STATUS,
// WATCHDOG, RELOADING, STOPPING. Without NOTIFY_SOCKET every call does nothing.
package sdnotify

import (
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier writes to the socket that systemd named. The zero value is silent.
type Notifier struct {
	send     func(state string)
	interval time.Duration
}

// New reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. pid is this process.
func New(getenv func(string) string, pid int) *Notifier {
	n := &Notifier{send: func(string) {}}
	if getenv("NOTIFY_SOCKET") == "" {
		return n
	}
	n.send = func(state string) { _, _ = daemon.SdNotify(false, state) } // a lost message is repaired by the next
	n.interval = watchdogInterval(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), pid)
	return n
}

// watchdogInterval is half of what systemd allows between two pings. It is parsed
// here because go-systemd overflows above 2147 s on 32 bits.
func watchdogInterval(usec, forPID string, pid int) time.Duration {
	if forPID != "" && forPID != strconv.Itoa(pid) {
		return 0
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(365*24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(n) * time.Microsecond / 2
}

// WatchdogInterval is how often to Ping; 0: no watchdog.
func (n *Notifier) WatchdogInterval() time.Duration { return n.interval }

// Ready says that the sockets are open and the session question is answered.
func (n *Notifier) Ready() { n.send(daemon.SdNotifyReady) }

// Status says in one line how the daemon is; `systemctl status` shows it.
func (n *Notifier) Status(line string) {
	n.send("STATUS=" + strings.Join(strings.Fields(line), " "))
}

// Ping feeds the watchdog. The main loop calls it, so a stuck loop is restarted.
func (n *Notifier) Ping() { n.send(daemon.SdNotifyWatchdog) }

// Reloading says that settings are read again; monotonic is the time since boot
// (CLOCK_MONOTONIC), which systemd asks for. Ready ends it.
func (n *Notifier) Reloading(monotonic time.Duration) {
	n.send(daemon.SdNotifyReloading + "\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic.Microseconds(), 10))
}

// Stopping says that the end was asked for.
func (n *Notifier) Stopping() { n.send(daemon.SdNotifyStopping) }
