package session

import "strings"

// BrokerURL decides which broker a session is kept at: the one that a person named
// (settings, a variable, a flag; empty: nobody did), else the one that the session
// remembers. A pin is not given up by leaving it out: the same address without one is
// the remembered URL.
func BrokerURL(named, remembered string) string {
	base, _, pinned := strings.Cut(remembered, "#")
	if named == "" || pinned && strings.TrimRight(named, "/") == strings.TrimRight(base, "/") {
		return remembered
	}
	return named
}

// At is the session as it stands at the broker that named decides on, and that broker's
// URL. An end that another named broker told does not count there: a broker that has
// nothing to do with the session must not be able to end it for good.
func (s Session) At(named string) (at Session, url string) {
	url = BrokerURL(named, s.Broker)
	if s.Ended != nil && s.Ended.Broker != "" && s.Ended.Broker != url {
		s.Ended = nil
	}
	return s, url
}

// EndedAt is what the broker of url, which At decided on, tells with code at the time
// at, in Unix seconds.
func (s Session) EndedAt(url, code string, at int64) *Ended {
	e := &Ended{Code: code, At: at}
	if url != s.Broker {
		e.Broker = url
	}
	return e
}
