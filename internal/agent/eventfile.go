package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	eventsVersion = 1
	keepEvery     = 15 * time.Minute // a board that is read all day without its broker writes so often
	keepWait      = time.Second      // a card that hangs holds up no read for longer
)

// errEvents says that a file holds no events of this version; it is written anew.
var errEvents = errors.New("the events cannot be read")

// eventFile is `<slot>/events.json`: the accesses that the broker does not have yet.
// The slot's run lock is held, so no other process writes it.
type eventFile struct {
	Version   int              `json:"version"`
	Granted   []protocol.Event `json:"granted"`
	Denied    []protocol.Event `json:"denied"`
	Strangers []protocol.Event `json:"strangers"`
}

func parseEvents(data []byte) (out [classes][]protocol.Event, err error) {
	var f eventFile
	if err := strictjson.Decode(data, &f); err != nil {
		return out, fmt.Errorf("%w: %w", errEvents, err)
	}
	if f.Version != eventsVersion {
		return out, fmt.Errorf("%w: version %d", errEvents, f.Version)
	}
	return [classes][]protocol.Event{granted: f.Granted, refused: f.Denied, strangers: f.Strangers}, nil
}

// recall takes up what the last run could not report.
func (r *reporter) recall() {
	data, err := r.files.ReadFile(r.id, words.FileEvents)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var events [classes][]protocol.Event
	if err == nil {
		events, err = parseEvents(data)
	}
	if err != nil {
		r.logger.Warn("events of the last run not read", "error", err)
		return
	}
	r.events.restore(events)
	_, n := r.events.all()
	r.kept = n > 0
}

// keep writes what the broker does not take now (untaken), at most every keepEvery or
// where now is the last chance; and takes it away again when the broker has it.
func (r *reporter) keep(now time.Time, untaken, last bool) {
	_, n := r.events.all()
	at, _ := r.events.keeping()
	if n == 0 && !r.kept || n > 0 && !last && (!untaken || now.Before(at)) {
		return
	}
	if n > 0 {
		r.events.closeWindows(now, true)
	}
	events, n := r.events.all()
	data, err := json.Marshal(eventFile{
		Version: eventsVersion, Granted: listed(events[granted]), Denied: listed(events[refused]), Strangers: listed(events[strangers]),
	})
	if err == nil {
		err = r.files.WriteFile(r.id, words.FileEvents, append(data, '\n'))
	}
	if n > 0 || err != nil {
		r.events.wasKept(now.Add(keepEvery))
	}
	if err != nil {
		r.logger.Warn("events not kept", "error", err)
		return
	}
	r.kept = n > 0
}

// listed is events as a list, where there are none too.
func listed(events []protocol.Event) []protocol.Event {
	return append([]protocol.Event{}, events...)
}

// awaitKept lets the first read of a while without the broker be on the card before its
// caller has the value. Between two writes a cut loses what was read since.
func (d *Daemon) awaitKept(kept <-chan struct{}) {
	if state := d.view.state(); state == words.StateOnline || state == words.StateParked {
		return
	}
	t := time.NewTimer(keepWait)
	defer t.Stop()
	select {
	case <-kept:
	case <-t.C:
	}
}
