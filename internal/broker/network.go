package broker

import (
	"net/netip"
	"slices"
	"time"
)

// An address is counted at three levels: as its network (an IPv4 address or an IPv6 /64), its
// neighbourhood (/24, /48) and its region (/16, /32). A client with many addresses usually has
// adjacent ones; a provider gives a customer an IPv6 /48 or /56.
const levels = 3

// prefixes are the prefix lengths of the levels, the smallest network first.
func prefixes(a netip.Addr) [levels]int {
	if a.Is4() {
		return [levels]int{32, 24, 16}
	}
	return [levels]int{64, 48, 32}
}

// Place is the networks that an address is counted as, the smallest first.
type Place [levels]string

// PlaceOf is the place of an address. A text that is no address (of a unix socket) counts as
// itself at each level.
func PlaceOf(address string) Place {
	out := Place{address, address, address}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return out
	}
	a = a.Unmap().WithZone("")
	for i, bits := range prefixes(a) {
		if p, err := a.Prefix(bits); err == nil {
			out[i] = p.String()
		}
	}
	return out
}

// shares limit the events of one place, at each level.
type shares [levels]*window

func newShares(network, near, far int) shares {
	return shares{newWindow(network), newWindow(near), newWindow(far)}
}

// Full returns how many seconds address must wait; 0: it need not.
func (s shares) Full(address string, now time.Time) int {
	wait := 0
	for i, place := range PlaceOf(address) {
		wait = max(wait, s[i].Full(place, now))
	}
	return wait
}

// Take counts one event at every level if address need not wait; otherwise it returns the same as
// Full. A refused event is not counted, so it does not affect the neighbours.
func (s shares) Take(address string, now time.Time) int {
	if wait := s.Full(address, now); wait > 0 {
		return wait
	}
	for i, place := range PlaceOf(address) {
		s[i].Take(place, now)
	}
	return 0
}

// Busiest decides which of all, oldest first and not empty, is removed to make room: the oldest of
// the busiest network in the busiest neighbourhood of the busiest region. If two are equally busy,
// it is the one with the older member.
func Busiest(all []Place) int {
	kept := make([]int, len(all))
	for i := range all {
		kept[i] = i
	}
	for level := levels - 1; level >= 0; level-- {
		count := map[string]int{}
		for _, i := range kept {
			count[all[i][level]]++
		}
		most := all[kept[0]][level]
		for _, i := range kept {
			if place := all[i][level]; count[place] > count[most] {
				most = place
			}
		}
		kept = slices.DeleteFunc(kept, func(i int) bool { return all[i][level] != most })
	}
	return kept[0]
}
