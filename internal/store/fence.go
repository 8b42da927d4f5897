package store

import "context"

// The operations a fence may stand for.
const (
	operationPut    = "put"
	operationDelete = "delete"
)

// fence is head.keychain.in_doubt: a put or delete that was handed to the keychain's
// provider and was not seen to end. It may take effect at any later time, as long as that
// provider runs: a put that timed out after 2 s was seen to arrive after 5 s, when the user
// typed the keychain's password. While a fence stands nothing new is put into the keychain.
// It is written with the announcement, before the provider is asked, so that a crash leaves
// it standing (docs/spec/architecture.md#fences).
type fence struct {
	Generation uint64 `json:"generation"`
	Operation  string `json:"operation"`
	BootID     string `json:"boot_id"`
	BusID      string `json:"bus_id"`
	Owner      string `json:"owner"`
	At         int64  `json:"at"` // Unix seconds
}

func (s *Store) newFence(operation string, generation uint64, p Probe) *fence {
	return &fence{
		Generation: generation, Operation: operation,
		BootID: s.cfg.BootID(), BusID: p.BusID, Owner: p.Owner, At: s.cfg.Now().Unix(),
	}
}

// over reports whether the provider that was given the operation has certainly ended: the
// machine was started again, the bus is a different one, or the provider is another process. A
// name that is not known on either side proves nothing.
func (f fence) over(p Probe, boot string) bool {
	differ := func(then, now string) bool { return then != "" && now != "" && then != now }
	return differ(f.BootID, boot) || differ(f.BusID, p.BusID) || differ(f.Owner, p.Owner)
}

// names reports whether the fence already names the provider of p.
func (f fence) names(p Probe) bool { return f.BusID == p.BusID && f.Owner == p.Owner }

// standing reports whether there is a fence, and it is not over.
func (sl *slot) standing(f *fence, p Probe) bool {
	return f != nil && !f.over(p, sl.store.cfg.BootID())
}

// updateFence makes the fence of h name the provider that has the operation, after one that
// failed: between the probe and the operation another process may have taken the provider's
// place, and the end of the first one would prove nothing. If no provider can be named now,
// only the end of the bus or of the boot ends the fence. changed is true if it is another
// fence than before, and the head is to be written.
func (sl *slot) updateFence(ctx context.Context, h head, before Probe) (updated head, changed bool) {
	if ctx.Err() != nil {
		return h, false
	}
	after := sl.store.probeNow(ctx)
	if after.BusID == "" {
		after.BusID = before.BusID
	}
	f := h.fence()
	if f.names(after) {
		return h, false
	}
	return h.withFence(after.Provider, sl.store.newFence(f.Operation, f.Generation, after)), true
}
