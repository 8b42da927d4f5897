package broker

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// allowance is how many rows of one kind may be written for one wallet: a burst, and then so many
// a minute.
type allowance struct{ burst, perMinute int }

// kind is what an allowance applies to. Grants, denials and what the broker itself saw have
// separate allowances, so that none uses up another's.
type kind struct{ action, where string }

// allowanceOf is the budget for each wallet of everything that writes rows (ADR 24). free: the row
// is always written, because it ends something or carries an owner's signature, so that a token
// alone cannot repeat it.
func allowanceOf(k kind) (a allowance, free bool) {
	switch k {
	case kind{protocol.ActionAccessGranted, whereLocal}:
		return allowance{2000, 5}, false // a daemon's full queue, sent twice
	case kind{protocol.ActionAccessDenied, whereLocal}:
		return allowance{500, 2}, false
	case kind{protocol.ActionSynced, whereBroker}:
		return allowance{640, 2}, false // ten times every record that an agent may have
	}
	switch k.action {
	case protocol.ActionAccountCreated, protocol.ActionPairingApproved, protocol.ActionRecovered, protocol.ActionRevoked,
		protocol.ActionTornDown, protocol.ActionManifestChanged, protocol.ActionReopened, protocol.ActionParked:
		return allowance{}, true
	}
	return allowance{60, 1}, false
}

// part is the rows of one wallet and one kind in an account's trail. The owner's own wallet is the
// zero wallet, as in a row.
type part struct {
	account, wallet wallet.Wallet
	kind            kind
}

// budget counts rows, and counts the rows that it does not allow. It is in memory only: a restart
// resets it, and only an unclean one loses a count.
type budget struct {
	mu   sync.Mutex
	of   map[part]*rate.Limiter
	held map[part][]*heldRow
}

// heldRow represents count rows that are not written yet.
type heldRow struct {
	service, result string
	count           int
	since           int64
}

// maxHeldServices is how many services are counted separately, which is more than an agent has.
const maxHeldServices = 64

func newBudget() *budget {
	return &budget{of: map[part]*rate.Limiter{}, held: map[part][]*heldRow{}}
}

func (b *budget) limiter(p part) *rate.Limiter {
	l, ok := b.of[p]
	if !ok {
		a, _ := allowanceOf(p.kind)
		l = rate.NewLimiter(rate.Every(time.Minute/time.Duration(a.perMinute)), a.burst)
		b.of[p] = l
	}
	return l
}

// Take uses up n rows of p, or returns how many seconds they must wait.
func (b *budget) Take(p part, n int, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.limiter(p).ReserveN(now, n)
	if !r.OK() {
		return int(time.Minute / time.Second) // more than the burst allows
	}
	delay := r.DelayFrom(now)
	if delay == 0 {
		return 0
	}
	r.CancelAt(now)
	return int((delay + time.Second - 1) / time.Second)
}

// Admit reports whether row may be written now; if not, it is counted. While rows of its part are
// held, it is added to them, so that those are written first.
func (b *budget) Admit(p part, row protocol.AuditRow, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.held[p]) == 0 && b.limiter(p).AllowN(now, 1) {
		return true
	}
	service := row.Service
	if row.Result == resultDenied {
		service = "" // more names than an agent has: the sender made them up
	}
	b.hold(p, service, row.Result, now)
	return false
}

func (b *budget) hold(p part, service, result string, now time.Time) {
	same := func(h *heldRow) bool { return h.service == service && h.result == result }
	i := slices.IndexFunc(b.held[p], same)
	if i < 0 && len(b.held[p]) >= maxHeldServices {
		service = ""
		i = slices.IndexFunc(b.held[p], same)
	}
	if i >= 0 {
		b.held[p][i].count++
		return
	}
	b.held[p] = append(b.held[p], &heldRow{service: service, result: result, count: 1, since: now.Unix()})
}

// due takes out the rows that the budget allows by now, or all rows if all is set.
func (b *budget) due(now time.Time, all bool) map[part][]*heldRow {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[part][]*heldRow{}
	for p, rows := range b.held {
		n := 0
		for n < len(rows) && (all || b.limiter(p).AllowN(now, 1)) {
			n++
		}
		if n > 0 {
			out[p] = rows[:n]
		}
		if b.held[p] = slices.Clone(rows[n:]); len(b.held[p]) == 0 {
			delete(b.held, p)
		}
	}
	return out
}

// keep puts back rows that could not be written.
func (b *budget) keep(p part, rows []*heldRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[p] = append(rows, b.held[p]...)
}

// writeHeld writes one row with a count for the rows that were held back. all: the broker stops,
// so every row is written.
func (b *Broker) writeHeld(ctx context.Context, all bool) error {
	var failed error
	due := b.budget.due(b.now(), all)
	for _, p := range slices.SortedFunc(maps.Keys(due), comparePart) {
		err := b.store.Update(ctx, func(tx Tx) error {
			for _, h := range due[p] {
				detail := protocol.AccessDetail{Count: h.count, At: happened(h.since, b.unix())}
				row := protocol.AuditRow{
					Agent: p.wallet, Service: h.service, Action: p.kind.action, Where: p.kind.where, Result: h.result, Detail: detail.String(),
				}
				if err := b.append(tx, p.account, row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.budget.keep(p, due[p])
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func comparePart(a, b part) int {
	return cmp.Or(cmp.Compare(a.account.String(), b.account.String()), cmp.Compare(a.wallet.String(), b.wallet.String()),
		cmp.Compare(a.kind.action, b.kind.action), cmp.Compare(a.kind.where, b.kind.where))
}
