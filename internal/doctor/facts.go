package doctor

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Facts is what was found. A nil part was not examined and has no check. No fact is a secret, so
// everything here may be printed.
type Facts struct {
	Now       time.Time
	Wallet    string // canonical, of an agent; empty for an owner's slot or the machine
	SessionID string // empty: the machine
	EUID      int    // effective user of this process
	Home      string // where the slots were looked for
	NoSudo    bool   // this process is root, and there is no sudo
	OfMachine bool   // Home is the home of the package's units, which only root may change

	Settings Settings
	Memory   Memory
	Clock    Clock
	Keychain Keychain
	Slot     *Slot
	Session  *Session
	Journal  *Journal
	Boot     *Boot
	Socket   *Socket
	Holder   holder.Holder // the running daemon; zero: none was seen
	Disk     *Disk
	Broker   *Broker
	Metrics  *Listener
}

// Settings are the settings of all layers together.
type Settings struct {
	Problems  []string   // of the files and variables; empty if there are none
	Store     words.Mode // session_store: auto, file, keychain
	StoreFrom string     // where that was set: `default`, a path, a variable's name

	Broker     string // URL that a file names and the running daemon has not taken up; empty: none
	BrokerFrom string // that file
}

// Memory is how this process is protected from other processes of its user.
type Memory struct {
	Dumpable  bool   // Linux only
	CoreLimit uint64 // bytes
	Swap      string // on a disk, for which a unit cannot exempt our memory; empty: none
	Cmdline   bool   // the kernel's arguments are in the file that Raspberry Pi OS has
	Err       string // why the kernel did not tell
}

// Clock is what can be found out about the clock without asking another machine.
type Clock struct {
	Known  bool      // the system says whether it is synchronised
	Synced bool      // valid if Known
	Floor  time.Time // certainly past: date of the build or of a broker's certificate; zero: none
}

// Keychain is the result of one probe. State is empty if there was none, for the reason in Why.
type Keychain struct {
	State    words.KeychainState
	Provider string
	Reason   string
	Why      string
	Cipher   string // of the keyring's file: CipherNone, CipherPassword, or empty: not known
}

// What protects the file of a keyring.
const (
	CipherNone     = "none"
	CipherPassword = "password"
)

// Slot is the content of the slot's directory.
type Slot struct {
	Path     string
	Unread   string
	Corrupt  string // why the head cannot be read, or what was set aside; empty: it can be read
	Newer    bool   // written by a newer version
	Saved    bool
	Removed  bool // a tombstone
	Insecure []Insecure
	UID      int

	Generation uint64
	Where      words.Backend // file, keychain
	SavedAt    time.Time
	Doubt      *Doubt

	Volatile string // why its file system loses it; empty: it does not
	NoSync   string // the file system, if it cannot sync directories; empty: it can
}

// Insecure is one wrong permission and the command that corrects it.
type Insecure struct{ Path, What, Fix string }

// Doubt is a keychain operation whose end was not seen.
type Doubt struct {
	Operation  string // put, delete
	Generation uint64
	Since      time.Time
	Over       bool // its provider has ended: the daemon removes the fence at its next start
}

// Session is what the stored session tells about itself.
type Session struct {
	Inconsistent bool   // head and keychain disagree
	Unread       string // another reason why it could not be read
	Ended        string // code with which the broker ended it
	Servable     bool   // has device keys; always for an owner
	ExpiresAt    time.Time
}

// Boot is what starts the instance when the machine starts.
type Boot struct {
	Manager   string // systemd, launchd, or empty: neither runs here
	System    bool   // the system unit is enabled
	User      bool   // the user unit is enabled
	Lingering bool   // the user's services start at boot (launchd: automatic login)
	UserName  string // that user, whose programs can read the wallet
	Shared    bool   // UserName is the package's user, which has no other programs than daemons

	UnitsHome bool   // the slot is in the home of the package's units
	Installed bool   // the package's system unit is installed
	UserUnit  bool   // the package's user unit is installed
	RunsAs    string // the user in the drop-in of pair --run-as; empty: there is none
	Foreign   string // the file at the path of that drop-in, if it is not ours
}

// Socket is the local interface. Path is the socket that answers, else the file that is in the way,
// else where a daemon with this environment would make it.
type Socket struct {
	Path  string
	Limit int // bytes that the system allows for Path
	State SocketState
	UID   int // user of the daemon that answers; -1: none does
	Err   string
	// Skipped is why Path is not in a better place; empty: it is in the best one.
	Skipped string

	Namespace bool             // SocketClosed because the daemon, in another container, cannot identify the caller
	Daemon    *protocol.Status // if State is SocketAnswers
}

// SocketState is what was found at the socket's path.
type SocketState string

// The states of a socket.
const (
	SocketAbsent  SocketState = "absent"
	SocketStale   SocketState = "stale"   // a socket file without a listener
	SocketForeign SocketState = "foreign" // another kind of file
	SocketClosed  SocketState = "closed"  // this user may not connect, or was refused
	SocketSilent  SocketState = "silent"  // a process listens, and its answer is not a daemon's
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

// Broker is the result of one request without authentication, and of one with the session's token.
type Broker struct {
	URL         string // empty: not known
	From        string // what names it: `session`, or a setting's file, variable or flag
	Full        string // URL with its pins; empty: a recovery needs the URL of a different broker
	Pinned      bool   // recognised by its key, not by a certificate authority
	Bad         string // why URL is not valid
	Away        string // why it did not answer
	Foreign     bool   // Away because another kind of server answers
	Certificate bool   // Away because the certificate was refused
	Version     string
	ReadOnly    string        // why it cannot write; empty: it can
	Offset      time.Duration // its clock minus this machine's
	ClockHeld   bool          // its clock jumped, and no person has accepted it yet

	Refusal *protocol.Problem // of the session's token; nil: it accepts the token, or was not asked
}

// owner reports whether the slot is one of the owner's command line.
func (f Facts) owner() bool { return f.SessionID != "" && f.Wallet == "" }

// inKeychain reports whether the session itself is stored in a keychain.
func (f Facts) inKeychain() bool { return f.Slot.live() && f.Slot.Where == "keychain" }

// live reports whether there is a session; a nil slot has none.
func (s *Slot) live() bool { return s != nil && s.Saved && !s.Removed }

// served reports whether a daemon listens; a nil socket has none.
func (s *Socket) served() bool {
	return s != nil && (s.State == SocketAnswers || s.State == SocketClosed || s.State == SocketSilent)
}

// Kept is the broker that the daemon says it uses; zero: no daemon answered.
func (s *Socket) Kept() protocol.StatusBroker {
	if s == nil || s.Daemon == nil {
		return protocol.StatusBroker{}
	}
	return s.Daemon.Broker
}

// foreign reports whether the slot belongs to another user, whose keychain cannot be reached.
func (f Facts) foreign() bool { return f.Slot != nil && f.Slot.UID != f.EUID }

// renew is the command that makes the slot again.
func (f Facts) renew() string {
	if f.owner() {
		return "agentkeys init --recovery-key -"
	}
	return f.sudo() + "agentkeys-daemon recover " + f.Wallet + " --broker URL"
}

// sudo is the beginning of hints for an instance of the machine.
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

// restart is the command for a running daemon, which depends on how it was started.
func (f Facts) restart() string { return f.Holder.Restart(f.EUID) }
