package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Operation is one kind of keychain call.
type Operation string

// The operations that a Fault may be chosen for.
const (
	OperationGet    Operation = "get"
	OperationPut    Operation = "put"
	OperationDelete Operation = "delete"
)

// Fault is how a keychain fails one call; every one of them was seen on a real one.
type Fault string

// The faults. Late means: not done now, but Keyring.ApplyLate may do it as long as the provider
// runs.
const (
	FaultNone           Fault = ""
	FaultError          Fault = "error"            // refused at once, not done
	FaultDone           Fault = "done"             // done, but reported as an error
	FaultHang           Fault = "hang"             // no answer before the deadline; late
	FaultLost           Fault = "lost"             // no answer before the deadline; never done
	FaultFalseReply     Fault = "false_reply"      // reported as done, never done (a get: "absent")
	FaultFalseReplyLate Fault = "false_reply_late" // reported as done; late (a get: "absent")
	FaultDoneHang       Fault = "done_hang"        // done, but no answer before the deadline
)

// Faults lists every fault.
func Faults() []Fault {
	return []Fault{FaultError, FaultDone, FaultHang, FaultLost, FaultFalseReply, FaultFalseReplyLate, FaultDoneHang}
}

// Keyring is a keychain that several processes share. Calls are counted, faults are
// chosen by a script, and late operations are done when the test says so.
type Keyring struct {
	mu    sync.Mutex
	items map[string]string
	late  []lateWrite
	state words.KeychainState
	bus   int
	owner int
	fault func(Operation) Fault
	max   int
	calls map[string]int
	wait  bool
}

type lateWrite struct {
	account, value string
	remove         bool
	done           bool // it was said to be done
	denied         int  // how often a get denied what it removes
}

// deniedOften ends a late delete: a keychain that confirms a delete, denies the entry at
// several reads, and removes the next entry of that name later cannot be told from one that
// has removed it.
const deniedOften = 2

// NewKeyring makes a healthy, empty keychain.
func NewKeyring() *Keyring {
	return &Keyring{
		items: map[string]string{}, state: words.KeychainUnlocked, bus: 1, owner: 1,
		calls: map[string]int{},
	}
}

func (r *Keyring) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// SetState is what probes say from now on. A keychain that is not readable also
// leaves every call unanswered.
func (r *Keyring) SetState(s words.KeychainState) { r.locked(func() { r.state = s }) }

// SetFault chooses the fault of each call; nil = none.
func (r *Keyring) SetFault(choose func(Operation) Fault) { r.locked(func() { r.fault = choose }) }

// SetMax limits the size of a value; 0 = no limit.
func (r *Keyring) SetMax(n int) { r.locked(func() { r.max = n }) }

// WaitForDeadlines makes calls without an answer last until their context ends;
// otherwise they return the context's error at once.
func (r *Keyring) WaitForDeadlines() { r.locked(func() { r.wait = true }) }

// Set stores an entry as another program would.
func (r *Keyring) Set(account, value string) { r.locked(func() { r.items[account] = value }) }

// Items is a copy of all entries.
func (r *Keyring) Items() (items map[string]string) {
	r.locked(func() { items = maps.Clone(r.items) })
	return items
}

// Calls counts the calls of one kind: get, put, delete, probe; false_reply: a get that denied
// what is there; and those for one account, by its name.
func (r *Keyring) Calls(kind string) (n int) { r.locked(func() { n = r.calls[kind] }); return n }

// Healthy reports whether every call will be done and answered truly.
func (r *Keyring) Healthy() (healthy bool) {
	r.locked(func() { healthy = r.fault == nil && r.state == words.KeychainUnlocked })
	return healthy
}

// Late is how many operations may still be done.
func (r *Keyring) Late() (n int) { r.locked(func() { n = len(r.late) }); return n }

// ApplyLate does the i-th late operation.
func (r *Keyring) ApplyLate(i int) {
	r.locked(func() {
		r.apply(r.late[i])
		r.late = append(r.late[:i:i], r.late[i+1:]...)
	})
}

// Restart replaces the provider: late operations end with the old one.
func (r *Keyring) Restart() { r.locked(func() { r.owner++; r.late = nil }) }

// ReplaceDuringCall is Restart for a fault's script: the provider that the call was
// meant for is replaced before the call is done.
func (r *Keyring) ReplaceDuringCall() { r.owner++; r.late = nil }

// RestartBus replaces the bus, and the provider with it.
func (r *Keyring) RestartBus() { r.locked(func() { r.bus++; r.owner++; r.late = nil }) }

// deny is a get that says that an account has no entry.
func (r *Keyring) deny(account string) {
	r.calls["false_reply"]++
	for i := range r.late {
		if w := &r.late[i]; w.remove && w.done && w.account == account {
			w.denied++
		}
	}
	r.late = slices.DeleteFunc(r.late, func(w lateWrite) bool { return w.denied >= deniedOften })
}

func (r *Keyring) apply(w lateWrite) {
	if w.remove {
		delete(r.items, w.account)
	} else {
		r.items[w.account] = w.value
	}
}

func (r *Keyring) probe() store.Probe {
	p := store.Probe{State: r.state, Provider: "storetest", BusID: fmt.Sprintf("bus-%d", r.bus), Owner: fmt.Sprintf(":1.%d", r.owner)}
	switch r.state {
	case words.KeychainNoBus:
		p.BusID, p.Owner = "", ""
	case words.KeychainNoOwner:
		p.Owner = ""
	}
	return p
}

// next decides the fault of a call.
func (r *Keyring) next(op Operation, account string) Fault {
	r.calls[string(op)]++
	r.calls[account]++
	if r.fault != nil {
		if f := r.fault(op); f != FaultNone {
			return f
		}
	}
	switch {
	case r.state == words.KeychainNoBus || r.state == words.KeychainNoOwner || r.state == words.KeychainDisabled:
		return FaultError
	case !r.state.Readable(), op != OperationGet && !r.state.Writable():
		return FaultHang // a prompt is waiting
	}
	return FaultNone
}
