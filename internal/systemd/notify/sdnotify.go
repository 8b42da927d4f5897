// Package notify reports the daemon's state to systemd (sd_notify(3)): READY, STATUS,
// WATCHDOG, RELOADING, STOPPING. Without NOTIFY_SOCKET every call does nothing.
package notify

import (
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier writes to the socket that systemd named. The zero value writes nothing.
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
	n.send = func(state string) { _, _ = daemon.SdNotify(false, state) } // the next message makes up for a lost one
	n.interval = watchdogInterval(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), pid)
	return n
}

// watchdogInterval is half of the time that systemd allows between two pings. It is parsed
// here because go-systemd overflows above 2147 s on 32-bit systems.
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

// WatchdogInterval is how often to call Ping; 0: there is no watchdog.
func (n *Notifier) WatchdogInterval() time.Duration { return n.interval }

// Ready says that the sockets are open and that it is known whether the session can be served.
func (n *Notifier) Ready() { n.send(daemon.SdNotifyReady) }

// Status describes the daemon's state in one line, which `systemctl status` shows.
func (n *Notifier) Status(line string) {
	n.send("STATUS=" + strings.Join(strings.Fields(line), " "))
}

// Ping resets systemd's watchdog. The main loop calls it, so that a stuck loop is restarted.
func (n *Notifier) Ping() { n.send(daemon.SdNotifyWatchdog) }

// Reloading says that the settings are being read again; monotonic is the time since boot
// (CLOCK_MONOTONIC), which systemd requires. Ready ends it.
func (n *Notifier) Reloading(monotonic time.Duration) {
	n.send(daemon.SdNotifyReloading + "\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic.Microseconds(), 10))
}

// Stopping says that the daemon ends because it was asked to.
func (n *Notifier) Stopping() { n.send(daemon.SdNotifyStopping) }
