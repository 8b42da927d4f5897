package access

import "slices"

// OverflowUID is the user that the kernel shows for a peer whose user has no number in our
// user namespace (user_namespaces(7), overflowuid). It never matches a rule.
const OverflowUID = 65534

// Peer is the process at the other end of a connection, by the kernel's word.
type Peer struct {
	PID    int32 // 0: not known, and then no rule matches
	UID    uint32
	Groups []uint32 // primary and supplementary
	Unit   string   // system unit; empty if it has none or it was not looked up
}

// Unseen says which fact about a peer the kernel cannot tell.
type Unseen int

// What keeps a peer from matching any rule.
const (
	Seen       Unseen = iota // nothing: the rules decide
	OtherPIDs                // it is in a PID namespace that is neither ours nor below ours
	OtherUsers               // its user has no number in our user namespace
)

// Unseen reports why no rule can match the peer; Seen if rules can.
func (p Peer) Unseen() Unseen {
	switch {
	case p.UID == OverflowUID:
		return OtherUsers
	case p.PID <= 0:
		return OtherPIDs
	}
	return Seen
}

// Names resolves user and group names to numbers; false if the machine has no such name.
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

// NewPolicy resolves the names in the rules. base applies to every service that has no rules
// of its own in services. unknown lists the rules whose name this machine does not have: they
// match no peer, and the caller reports them.
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

// Allows reports whether peer may have service.
func (p Policy) Allows(peer Peer, service string) bool {
	rules, own := p.services[service]
	if !own {
		rules = p.base
	}
	return p.matches(peer, rules)
}

// AllowsAny reports whether peer matches a rule of any service, so that it may ask at all.
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
