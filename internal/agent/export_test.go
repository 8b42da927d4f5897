package agent

import (
	"strconv"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

// ParseCache lets the tests feed the cache's parser.
func ParseCache(data []byte) error {
	_, err := parseCache(data)
	return err
}

// ErrCache is what every refused cache is.
var ErrCache = errCache

// LeaseUsed is the lease after a start at started, asked at now.
func LeaseUsed(started, now time.Time, contact, usedSeconds int64, synchronised bool) time.Duration {
	return newLease(started, contact, usedSeconds).used(now, synchronised)
}

// Seen is what the line for the service manager is made of.
type Seen struct {
	Phase                              words.State // while nothing is loaded; empty: a session is
	Reason                             string
	Ended, Parked, Online, Tried, Over bool
	WithoutKeys, WithoutManifest       bool
	Records                            int
}

// Line is that line.
func (s Seen) Line() string {
	f := facts{
		phase: s.Phase, reason: s.Reason, loaded: s.Phase == "", parked: s.Parked, online: s.Online, tried: s.Tried, over: s.Over,
		records: map[string]held{},
	}
	f.session.ended, f.session.canServe = s.Ended, !s.WithoutKeys
	if !s.WithoutManifest {
		f.manifest = &signed{}
	}
	for i := range s.Records {
		f.records[strconv.Itoa(i)] = held{}
	}
	return f.statusLine()
}
