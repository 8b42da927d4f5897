package session

import "strings"

// BrokerURL decides which broker a session belongs to: the one that a person named (in the
// settings, a variable or a flag; empty: none was named), else the one that the session
// remembers (docs/spec/architecture.md#which-broker). Leaving out the pin does not remove
// it: for the same address without a pin the result is the remembered URL.
func BrokerURL(named, remembered string) string {
	base, _, pinned := strings.Cut(remembered, "#")
	if named == "" || pinned && strings.TrimRight(named, "/") == strings.TrimRight(base, "/") {
		return remembered
	}
	return named
}

// At is the session as it stands at the broker that named decides on, and the URL of that
// broker. Ended is dropped if another broker sent it: a broker that does not know the
// session must not be able to end it for good.
func (s Session) At(named string) (at Session, url string) {
	url = BrokerURL(named, s.Broker)
	if s.Ended != nil && s.Ended.Broker != "" && s.Ended.Broker != url {
		s.Ended = nil
	}
	return s, url
}

// EndedAt records that the broker of url, which At decided on, ended the session with code
// at the time at, in Unix seconds.
func (s Session) EndedAt(url, code string, at int64) *Ended {
	e := &Ended{Code: code, At: at}
	if url != s.Broker {
		e.Broker = url
	}
	return e
}
