package access

import "slices"

// Nobody is the user that the kernel shows for a peer of another user namespace; it
// never matches a rule.
const Nobody = 65534

// Peer is who asks, as the kernel says.
type Peer struct {
	PID    int32 // 0: not known, never matches
	UID    uint32
	Groups []uint32 // primary and supplementary
	Unit   string   // system unit; empty when none or not looked up
}

// Unseen says what the kernel does not tell of a peer.
type Unseen int

// What keeps a peer from matching any rule.
const (
	Seen       Unseen = iota // nothing: the rules decide
	OtherPIDs                // its PID namespace is another one, not below ours
	OtherUsers               // its user has no number in our user namespace
)

// Unseen reports why no rule can match the peer.
func (p Peer) Unseen() Unseen {
	switch {
	case p.UID == Nobody:
		return OtherUsers
	case p.PID <= 0:
		return OtherPIDs
	}
	return Seen
}

// Names resolves names to numbers; false when the machine does not know the name.
type Names interface {
	UserID(name string) (uint32, bool)
	GroupID(name string) (uint32, bool)
}

// Policy is the rules of one instance with their names resolved.
type Policy struct {
	allowRoot bool
	base      []resolved
	services  map[string][]resolved
}

type resolved struct {
	kind Kind
	id   uint32
	unit string
}

// NewPolicy resolves the rules. base holds for every service without rules of its
// own in services. unknown lists the rules whose name this machine does not know:
// they match nobody, and the caller says so.
func NewPolicy(allowRoot bool, base []Rule, services map[string][]Rule, names Names) (p Policy, unknown []Rule) {
	p = Policy{allowRoot: allowRoot, services: map[string][]resolved{}}
	p.base, unknown = resolve(base, names)
	for service, rules := range services {
		own, missing := resolve(rules, names)
		p.services[service] = own
		unknown = append(unknown, missing...)
	}
	return p, unknown
}

func resolve(rules []Rule, names Names) (out []resolved, unknown []Rule) {
	out = []resolved{}
	for _, r := range rules {
		id, ok := uint32(0), true
		switch r.Kind {
		case User:
			id, ok = names.UserID(r.Name)
		case Group:
			id, ok = names.GroupID(r.Name)
		}
		if !ok {
			unknown = append(unknown, r)
			continue
		}
		out = append(out, resolved{kind: r.Kind, id: id, unit: r.Name})
	}
	return out, unknown
}

// UsesUnits reports whether any rule looks at the peer's unit.
func (p Policy) UsesUnits() bool {
	isUnit := func(r resolved) bool { return r.kind == Unit }
	for _, rules := range p.services {
		if slices.ContainsFunc(rules, isUnit) {
			return true
		}
	}
	return slices.ContainsFunc(p.base, isUnit)
}

// Allows reports whether peer may have service.
func (p Policy) Allows(peer Peer, service string) bool {
	rules, own := p.services[service]
	if !own {
		rules = p.base
	}
	return p.matches(peer, rules)
}

// AllowsAny reports whether peer may ask at all: it matches a rule of any service.
func (p Policy) AllowsAny(peer Peer) bool {
	if p.matches(peer, p.base) {
		return true
	}
	for _, rules := range p.services {
		if p.matches(peer, rules) {
			return true
		}
	}
	return false
}

func (p Policy) matches(peer Peer, rules []resolved) bool {
	if peer.Unseen() != Seen {
		return false
	}
	if peer.UID == 0 && p.allowRoot {
		return true
	}
	return slices.ContainsFunc(rules, func(r resolved) bool { return r.matches(peer) })
}

func (r resolved) matches(peer Peer) bool {
	switch r.kind {
	case User:
		return peer.UID == r.id
	case Group:
		return slices.Contains(peer.Groups, r.id)
	case Unit:
		return peer.Unit != "" && peer.Unit == r.unit
	}
	return false
}
