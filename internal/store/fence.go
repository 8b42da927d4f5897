package store

// The operations a fence may stand for.
const (
	operationPut    = "put"
	operationDelete = "delete"
)

// fence is head.keychain.in_doubt: a keychain write that was handed to a provider
// and not seen to end. It may land at any later time, as long as that provider
// lives (design 2: a Set that timed out at 2 s landed at 5 s). While a fence stands
// nothing new is put into the keychain. It goes up with the intent, before the
// write, so that a crash leaves it standing.
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

// over reports whether the provider that was given the write is gone for certain.
// What is not known on either side proves nothing.
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
