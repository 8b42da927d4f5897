package checkup

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/buildinfo"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/protocol"
)

// broker asks who the broker is, once for each address; without a token. nil: no
// session and no settings name one, and none is expected to.
func (m *machine) broker(ctx context.Context, f doctor.Facts, at protocol.StatusBroker) *doctor.Broker {
	if at.URL == "" && (f.Slot == nil || !f.Slot.Saved || f.Slot.Removed) {
		return nil
	}
	if m.brokers[at.URL] == nil {
		m.brokers[at.URL] = askBroker(ctx, at.URL, f.Clock.Floor)
	}
	b := *m.brokers[at.URL]
	b.From = at.From
	return &b
}

func askBroker(ctx context.Context, url string, floor time.Time) *doctor.Broker {
	if url == "" {
		return &doctor.Broker{}
	}
	shown, _, pinned := strings.Cut(url, "#") // the pins are long and say nothing to a person
	b := &doctor.Broker{URL: shown, Pinned: pinned}
	client, err := brokerclient.New(brokerclient.Config{
		URL: url, Version: buildinfo.Version(), Timeout: askTimeout, Floor: func() time.Time { return floor },
	})
	if err != nil {
		return &doctor.Broker{URL: "not a URL", Bad: err.Error()} // the text may be anything a person pasted
	}
	defer client.Close()
	info, err := client.Info(ctx)
	if err != nil {
		b.Away, b.Certificate = protocol.Reason(err), errors.Is(err, protocol.ErrCertificate)
		return b
	}
	if info.ReadOnly {
		b.ReadOnly = protocol.ReadOnlyText(info.ReadOnlyReason)
	}
	b.ClockHeld = info.ClockHeld
	b.Version, b.Offset = info.Version, time.Until(time.Unix(info.Time, 0))
	return b
}
