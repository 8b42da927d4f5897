package doctor

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Facts is what was seen. A nil part was not looked at and has no check. No fact is
// a secret: everything here may be printed.
type Facts struct {
	Now       time.Time
	Wallet    string // canonical, of an agent; empty for an owner's slot or the machine
	SessionID string // empty: no slot is meant
	EUID      int    // of who looks
	Home      string // where slots were looked for
	OfMachine bool   // Home is that of the package's units, which is root's to change

	Settings Settings
	Memory   Memory
	Clock    Clock
	Keychain Keychain
	Slot     *Slot
	Session  *Session
	Journal  *Journal
	Boot     *Boot
	Socket   *Socket
	Holder   holder.Holder // the daemon that runs; the zero one: none was seen
	Disk     *Disk
	Broker   *Broker
	Metrics  *Listener
}

// Settings are what the layers of settings say together.
type Settings struct {
	Problems  []string   // of the files and variables; none when they were understood
	Store     words.Mode // session_store: auto, file, keychain
	StoreFrom string     // where that was set: `default`, a path, a variable's name

	Broker     string // URL that a file names and the daemon that runs has not taken up; empty: none
	BrokerFrom string // that file
}

// Memory is how this process is kept from others of its user.
type Memory struct {
	Dumpable  bool   // Linux only
	CoreLimit uint64 // bytes
	Swap      string // on a disk, and a unit cannot keep our memory out of it; empty: none
	Cmdline   bool   // the kernel's arguments are where Raspberry Pi OS has them
	Err       string // what the kernel did not say
}

// Clock is what can be known of it without asking anybody.
type Clock struct {
	Known  bool      // the system says whether it is synchronised
	Synced bool      // where Known
	Floor  time.Time // certainly past: date of the build or of a broker's certificate; zero: none
}

// Keychain is one look. State is empty when none was taken, Why says the reason.
type Keychain struct {
	State    words.KeychainState
	Provider string
	Reason   string
	Why      string
	Cipher   string // of the keyring's file: CipherNone, CipherPassword, or empty: not known
}

// What protects a keyring's own file.
const (
	CipherNone     = "none"
	CipherPassword = "password"
)

// Slot is what lies in the slot's directory.
type Slot struct {
	Path     string
	Unread   string
	Corrupt  string // why the head cannot be read, or what was set aside; empty: it can
	Newer    bool   // written by a newer version
	Saved    bool
	Removed  bool // a tombstone
	Insecure []Insecure
	UID      int

	Generation uint64
	Where      words.Backend // file, keychain
	SavedAt    time.Time
	Doubt      *Doubt

	Volatile string // why its file system does not keep it; empty: it does
	NoSync   string // the file system, where it cannot sync directories; empty: it can
}

// Insecure is one wrong thing and the command that mends it.
type Insecure struct{ Path, What, Fix string }

// Doubt is a keychain write that was not seen to end.
type Doubt struct {
	Operation  string // put, delete
	Generation uint64
	Since      time.Time
	Over       bool // its provider is gone: the daemon clears it at its next start
}

// Session is what the stored session says of itself.
type Session struct {
	Inconsistent bool   // head and keychain disagree
	Unread       string // why else it could not be read
	Ended        string // code of the broker that ended it
	Servable     bool   // has device keys; always for an owner
	ExpiresAt    time.Time
}

// Boot is what starts the instance after the machine did.
type Boot struct {
	Manager   string // systemd, launchd, or empty: neither runs here
	System    bool   // enabled for the machine
	User      bool   // enabled for the user's login session
	Lingering bool   // that session begins at boot (launchd: automatic login)
	UserName  string // whose session, and whose programs may read the wallet
	Shared    bool   // UserName is the package's user, who has no program but daemons

	UnitsHome bool   // the slot lies in the home of the package's units
	Installed bool   // the package's unit for the machine is there
	UserUnit  bool   // and the one for login sessions
	RunsAs    string // whom the drop-in of pair --run-as names; empty: there is none
	Foreign   string // what lies in the place of that drop-in and is not ours
}

// Socket is the local interface. Path is the one that answers, else the one that is
// in the way, else where a daemon of this environment would make it.
type Socket struct {
	Path  string
	Limit int // bytes that the system allows for Path
	State SocketState
	UID   int // whose daemon answers; -1: none does
	Err   string
	// Skipped is why Path is not in a better place; empty: it is in the best.
	Skipped string

	Namespace bool             // SocketClosed because the daemon cannot see who asks, being in another container
	Daemon    *protocol.Status // where State is SocketAnswers
}

// SocketState is what a look at the socket's path found.
type SocketState string

// The states of a socket.
const (
	SocketAbsent  SocketState = "absent"
	SocketStale   SocketState = "stale"   // a file nobody listens on
	SocketForeign SocketState = "foreign" // something else lies there
	SocketClosed  SocketState = "closed"  // this user may not connect, or was refused
	SocketSilent  SocketState = "silent"  // something listens, and what came back is no daemon's answer
	SocketAnswers SocketState = "answers"
)

// Disk is the file system that holds the slot, as this process may use it.
type Disk struct {
	Path     string // of the slot
	Mount    string // for people: "ext4 at /srv (/dev/sda1)"
	Point    string // where it is mounted; empty: not known
	ReadOnly bool
	Full     bool
}

// Broker is one question without authentication, and one with the session's token.
type Broker struct {
	URL         string // empty: not known
	From        string // who names it: `session`, or a setting's file, variable or flag
	Pinned      bool   // known by its key, not by an authority
	Bad         string // why URL is none
	Away        string // why it did not answer
	Foreign     bool   // Away because what answers is no broker
	Certificate bool   // Away because of TLS
	Version     string
	ReadOnly    string        // why it can write nothing; empty: it can
	Offset      time.Duration // its clock minus this machine's
	ClockHeld   bool          // its clock jumped, and nobody accepted it yet

	Refusal *protocol.Problem // of the session's token; nil: it takes it, or was not asked
}

// owner reports whether the slot is one of the owner's command line.
func (f Facts) owner() bool { return f.SessionID != "" && f.Wallet == "" }

// inKeychain reports whether the session itself lies in a keychain.
func (f Facts) inKeychain() bool { return f.Slot.live() && f.Slot.Where == "keychain" }

// live reports whether there is a session; a nil slot has none.
func (s *Slot) live() bool { return s != nil && s.Saved && !s.Removed }

// served reports whether a daemon listens; a nil socket has none.
func (s *Socket) served() bool {
	return s != nil && (s.State == SocketAnswers || s.State == SocketClosed || s.State == SocketSilent)
}

// Kept is the broker that a daemon which answers says that it uses; zero: none did.
func (s *Socket) Kept() protocol.StatusBroker {
	if s == nil || s.Daemon == nil {
		return protocol.StatusBroker{}
	}
	return s.Daemon.Broker
}

// foreign reports whether the slot is another user's, whose keychain is out of reach.
func (f Facts) foreign() bool { return f.Slot != nil && f.Slot.UID != f.EUID }

// renew is the command that makes the slot anew.
func (f Facts) renew() string {
	if f.owner() {
		return "agentkeys init --recovery-key -"
	}
	return f.sudo() + "agentkeys-daemon recover " + f.Wallet + " --broker URL"
}

// sudo begins the hints for an instance of the machine.
func (f Facts) sudo() string {
	if f.OfMachine || f.Boot != nil && f.Boot.System && !f.Slot.live() || f.Holder.Unit != "" && !f.Holder.User {
		return "sudo "
	}
	return ""
}

// start is the command that starts the daemon.
func (f Facts) start() string {
	if b := f.Boot; b != nil && b.Manager == managerSystemd {
		switch {
		case b.System || b.UnitsHome && !b.User:
			return "sudo systemctl start agentkeys-daemon@" + f.Wallet
		case b.User || b.UserUnit:
			return "systemctl --user start agentkeys-daemon@" + f.Wallet
		}
	}
	return "agentkeys-daemon run --wallet " + f.Wallet
}

// restart is the command for a daemon that runs: the one for how it was started.
func (f Facts) restart() string { return f.Holder.Restart(f.EUID) }
