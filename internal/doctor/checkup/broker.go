package checkup

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// asked is the answer of a broker about itself.
type asked struct {
	doctor.Broker
	client *brokerclient.Client // nil: there is nothing more to ask
}

// broker asks the broker about itself, once for each address, and whether it accepts the session.
// nil: neither the session nor the settings name one, and none is needed.
func (m *machine) broker(ctx context.Context, f *doctor.Facts, p *opened) *doctor.Broker {
	at := p.broker()
	token := p.token()
	if d := f.Socket.Kept(); ofMachine(at) && d.URL != "" && d.URL != at.URL && isURL(d.URL) {
		if filepath.IsAbs(at.From) {
			f.Settings.Broker, _, _ = strings.Cut(at.URL, "#")
			f.Settings.BrokerFrom = at.From
		}
		at, token = d, secret.String{} // a broker that only a daemon names gets no token
	}
	if at.URL == "" && (f.Slot == nil || !f.Slot.Saved || f.Slot.Removed) {
		return nil
	}
	if m.brokers[at.URL] == nil {
		m.brokers[at.URL] = askBroker(ctx, at.URL, f.Clock.Floor)
	}
	a := m.brokers[at.URL]
	b := a.Broker
	b.From = at.From
	if a.client != nil && !token.IsZero() {
		b.Refusal = askSession(ctx, a.client, token)
	}
	if b.Certificate || b.Foreign || b.Bad != "" || b.Refusal != nil && b.Refusal.Code == protocol.CodeTokenUnknown {
		b.Full = "" // it is not the broker for a recovery, or not at this URL
	}
	return &b
}

func isURL(text string) bool {
	_, err := brokerclient.CanonicalURL(text)
	return err == nil
}

// ofMachine reports whether a daemon finds the broker's name too, that is, not from a flag or variable
// of this process.
func ofMachine(at protocol.StatusBroker) bool {
	return at.From == "" || at.From == protocol.BrokerOfSession || filepath.IsAbs(at.From)
}

func askBroker(ctx context.Context, url string, floor time.Time) *asked {
	if url == "" {
		return &asked{}
	}
	shown, _, pinned := strings.Cut(url, "#") // without the pins, which a person cannot read
	b := doctor.Broker{URL: shown, Full: url, Pinned: pinned}
	client, err := brokerclient.New(brokerclient.Config{
		URL: url, Version: buildinfo.Version(), Timeout: askTimeout, Floor: func() time.Time { return floor },
	})
	if err != nil {
		return &asked{Broker: doctor.Broker{URL: "not a URL", Bad: err.Error()}} // the text may be something else that a person pasted
	}
	info, err := client.Info(ctx)
	if err != nil {
		client.Close()
		b.Away, b.Certificate, b.Foreign = protocol.Reason(err), errors.Is(err, protocol.ErrCertificate), errors.Is(err, protocol.ErrForeign)
		return &asked{Broker: b}
	}
	if info.ReadOnly {
		b.ReadOnly = protocol.ReadOnlyText(info.ReadOnlyReason)
	}
	b.ClockHeld = info.ClockHeld
	b.Version, b.Offset = info.Version, time.Until(time.Unix(info.Time, 0))
	return &asked{Broker: b, client: client}
}

// askSession sends the session's token to the broker, as its daemon or owner does. nil: it accepts the
// token, or gave no answer.
func askSession(ctx context.Context, c *brokerclient.Client, token secret.String) *protocol.Problem {
	var p *protocol.Problem
	if _, err := c.Session(ctx, token); errors.As(err, &p) {
		return p
	}
	return nil
}
