package agent

import "time"

// others stands for the callers that are not told apart any more.
const others = "uid=others"

// naming keeps denials few, whatever a caller asks for: of each caller so many names an
// hour are told, and the rest of its denials together; of so many callers.
type naming struct {
	callers, names int
	of             map[Access]*named // by the access without its service and reason
}

type named struct {
	until time.Time
	names map[string]bool
}

func newNaming(callers, names int) *naming {
	return &naming{callers: callers, names: names, of: map[Access]*named{}}
}

// name is the access as it is told.
func (n *naming) name(a Access, now time.Time) Access {
	who := a
	who.Service, who.Reason = "", ""
	c, ok := n.of[who]
	if !ok || !now.Before(c.until) {
		if !n.room(now) {
			return Access{Interface: a.Interface, Caller: others, Result: a.Result, Stranger: a.Stranger}
		}
		c = &named{until: now.Add(time.Hour), names: map[string]bool{}}
		n.of[who] = c
	}
	if !c.names[a.Service] && len(c.names) >= n.names {
		return who
	}
	c.names[a.Service] = true
	return a
}

func (n *naming) room(now time.Time) bool {
	if len(n.of) < n.callers {
		return true
	}
	for who, c := range n.of {
		if !now.Before(c.until) {
			delete(n.of, who)
		}
	}
	return len(n.of) < n.callers
}
