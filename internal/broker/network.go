package broker

import (
	"net/netip"
	"slices"
	"time"
)

// An address counts three times: as its network (an IPv4 address or an IPv6 /64), as its
// neighbourhood (/24, /48) and as its region (/16, /32). Who has many addresses has them
// side by side: a provider gives a customer an IPv6 /48 or /56.
const levels = 3

// prefixes are the bits of each level, the smallest network first.
func prefixes(a netip.Addr) [levels]int {
	if a.Is4() {
		return [levels]int{32, 24, 16}
	}
	return [levels]int{64, 48, 32}
}

// Place is what an address counts as, the smallest network first.
type Place [levels]string

// PlaceOf is the place of an address. A text that is no address (a unix socket) counts as
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

// shares bound what comes from one place, at each level.
type shares [levels]*window

func newShares(network, near, far int) shares {
	return shares{newWindow(network), newWindow(near), newWindow(far)}
}

// Full reports how many seconds address must wait; 0: it may go on.
func (s shares) Full(address string, now time.Time) int {
	wait := 0
	for i, place := range PlaceOf(address) {
		wait = max(wait, s[i].Full(place, now))
	}
	return wait
}

// Take counts one event at every level if address may go on, and else reports as Full
// does: what is refused is not held against the neighbours.
func (s shares) Take(address string, now time.Time) int {
	if wait := s.Full(address, now); wait > 0 {
		return wait
	}
	for i, place := range PlaceOf(address) {
		s[i].Take(place, now)
	}
	return 0
}

// Busiest is which of all, oldest first and not empty, makes room where there is no more:
// the oldest of the busiest network in the busiest neighbourhood in the busiest region. Of
// two as busy the one with the older member counts.
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
