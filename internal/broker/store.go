package broker

import (
	"context"
	"errors"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Errors of the port.
var (
	// ErrNone: there is no such row in that account.
	ErrNone = errors.New("no such row")
	// ErrTaken: another row holds that unique value.
	ErrTaken = errors.New("the value is taken")
)

func isNone(err error) bool { return errors.Is(err, ErrNone) }

// Store is the database. brokertest.Conformance is what every implementation passes.
type Store interface {
	// Update runs f in one serialisable read-write transaction. It is durable when Update
	// returns nil, and nothing of it is kept when f or Update returns an error; *Unwritable if
	// nothing can be written at all.
	// f may run more than once.
	Update(ctx context.Context, f func(Tx) error) error
	// View runs f on one consistent state. A write of f fails.
	View(ctx context.Context, f func(Tx) error) error
	// Room is *Unwritable if the file system reports that nothing can be written. It writes
	// nothing, and is cheap.
	Room() error
	// Reserve keeps a little space on the disk, if there is plenty. Release frees it and
	// reports whether there was any. It is used for changes that end access.
	Reserve()
	Release() bool
}

// Tx is one transaction. Each method that concerns an account's data has the account as a
// parameter, except those that find the account (Token, AccountOf, Resolve, and those of pairings).
// Reads of one row return ErrNone if it does not exist.
type Tx interface {
	Meta(key string) (string, error)
	SetMeta(key, value string) error // an empty value removes the key

	AddAccount(Account) error // ErrTaken: the wallet or the signing key is known
	Account(account wallet.Wallet) (Account, error)
	AccountOf(w wallet.Wallet) (wallet.Wallet, error)
	CountAccounts() (int, error)
	SetAccountEpoch(account wallet.Wallet, epoch string) error

	Token(hash string) (Token, error)
	AddToken(Token) error // ErrTaken: the hash is known anywhere in this broker
	SetToken(account wallet.Wallet, t Token) error
	DropToken(hash string) error
	Tokens(account wallet.Wallet, session int64) ([]Token, error) // oldest first

	AddSession(Session) (int64, error) // ErrTaken: the wallet has one that has not ended
	Session(account wallet.Wallet, id int64) (Session, error)
	Sessions(account, w wallet.Wallet) ([]Session, error) // newest first, ended ones included
	SetSession(Session) error
	OverdueSessions(now int64) ([]Session, error) // neither ended nor lapsed, of every account

	AddAgent(Agent) error // ErrTaken: the wallet is known in this broker, also if it was torn down
	Agent(account, w wallet.Wallet) (Agent, error)
	// Agents are at most limit agents after place (0: from the beginning): not torn down, oldest
	// first, without the owner.
	Agents(account wallet.Wallet, place uint64, limit int) ([]Agent, error)
	SetAgent(Agent) error
	SetIdentities(account, w wallet.Wallet, names []string) error // ErrTaken: another wallet of the account has one
	Resolve(identity string) ([]wallet.Wallet, error)             // over all accounts

	Entries(account, w wallet.Wallet) ([]seal.Entry, error) // sorted by service
	Record(account, w wallet.Wallet, service string) (protocol.SealedRecord, error)
	PutRecord(account, w wallet.Wallet, r protocol.SealedRecord, sha256 string) error
	DropRecord(account, w wallet.Wallet, service string) error
	Revisions(account, w wallet.Wallet) (map[string]uint64, error) // the highest ever of each service

	AddPairing(Pairing) error // ErrTaken: a live pairing has the lookup, or the token is known
	Pairing(tokenSHA256 string) (Pairing, error)
	PairingByLookup(lookup string, since int64) (Pairing, error) // a live one, else the newest opened after since
	SetPairing(Pairing) error                                    // ErrTaken as AddPairing
	Pairings(account wallet.Wallet) ([]Pairing, error)           // that it decided, newest first
	LivePairings(w wallet.Wallet) ([]Pairing, error)             // that want to recover w
	OverduePairings(now int64) ([]Pairing, error)
	CountLivePairings() (int, error)
	// UnseenPairings are the open pairings that no owner looked up, oldest first, with hash,
	// address and time only.
	UnseenPairings() ([]Pairing, error)
	DropPairing(tokenSHA256 string) error // and its token
	PrunePairings(before int64) error     // expired ones without a decision, with their tokens

	AddEvent(account, w wallet.Wallet, id string, now int64) error // ErrTaken: counted already
	PruneEvents(before int64) error

	AuditHead(account wallet.Wallet) (protocol.AuditHead, error) // the zero head: there is no row
	AddAudit(account wallet.Wallet, row protocol.AuditRow) error
	// Audit is at most limit rows that match q, oldest first: the oldest of them, or with FromEnd
	// the newest. q.Limit is ignored.
	Audit(account wallet.Wallet, q protocol.AuditQuery, limit int) ([]protocol.AuditRow, error)

	Stats(now int64) (Stats, error)
}

// The keys of Meta.
const (
	metaEpoch       = "epoch"
	metaChanges     = "changes"
	metaClockSeen   = "clock_seen"
	metaClockHeld   = "clock_held"
	metaSetupSHA256 = "setup_sha256"
	metaSetupUntil  = "setup_until"
)

// Stats are counts over all accounts.
type Stats struct {
	Accounts         int
	RestoredAccounts int // accounts that wait for their owners since the database was restored
	OpenPairings     int
	Sessions         map[string]int // by state
	ClockHeld        bool           // the clock jumped: no session lapses until a person accepts it
	WaitingPolls     int            // in this process
}

// Account is one owner.
type Account struct {
	Wallet     wallet.Wallet
	Recipient  string
	SigningKey string
	CreatedAt  int64
	Epoch      string // the epoch in which its owner opened it
}

// The kinds of a token's hash.
const (
	TokenPairing = "pairing" // asked to be approved
	TokenCurrent = "current" // C
	TokenNext    = "next"    // N: registered, not used
	TokenRetired = "retired" // R
	TokenAsked   = "asked"   // of a lapsed session that waits for the owner's reopen
	TokenEnded   = "ended"   // of a session that ended
)

// Token says to what a token hash belongs. Account, Wallet and Session are zero while Kind is
// TokenPairing.
type Token struct {
	Hash    string
	Kind    string
	Account wallet.Wallet
	Wallet  wallet.Wallet
	Session int64
}

// The states of a session.
const (
	StateActive = "active"
	StateParked = "parked"
	StateEnded  = "ended"
	StateLapsed = "lapsed"
)

// The roles of a session.
const (
	RoleOwner = "owner"
	RoleAgent = "agent"
)

// Session is one session of a wallet. All but the newest have ended.
type Session struct {
	ID            int64
	Account       wallet.Wallet
	Wallet        wallet.Wallet
	Role          string
	State         string
	DeviceSignKey string // proves the device; the owner's signing key for an owner
	CreatedAt     int64
	RenewedAt     int64 // when C became the current token
	ExpiresAt     int64
	Used          bool // a request was made with it
	SeenEpoch     string
	LastSeen      int64 // 0: never
	Address       string
	EndedAt       int64
}

// Agent is one wallet of an account; the owner's own wallet is one too.
type Agent struct {
	Place          uint64 // its place among all agents, by age
	Account        wallet.Wallet
	Wallet         wallet.Wallet
	Role           string
	CreatedAt      int64
	TornDownAt     int64 // 0: it was not
	Revision       uint64
	Manifest       []byte // nil while Revision is 0 or the agent is torn down
	Signature      []byte
	Machine        string
	Host           string
	Version        string
	StorageBackend string
	KeychainState  string
}

// The states of a pairing. Open and denied ones are live until ExpiresAt.
const (
	PairingOpen     = "open"
	PairingDenied   = "denied"
	PairingApproved = "approved"
	PairingExpired  = "expired"
)

// Pairing is a pairing request of a board.
type Pairing struct {
	TokenSHA256 string
	Lookup      string
	Request     []byte
	MAC         []byte
	State       string
	Address     string
	OpenedAt    int64
	ExpiresAt   int64
	Resumed     int           // how often its lifetime started again
	Wants       wallet.Wallet // recover: the wallet that the request names, or zero
	FoundBy     wallet.Wallet // the first account that looked it up
	Account     wallet.Wallet // the account that decided
	Wallet      wallet.Wallet // approved: the agent
	Grant       []byte
	GrantMAC    []byte
	Manifest    []byte
	Signature   []byte
	DenyMAC     []byte
	DecidedAt   int64
}
