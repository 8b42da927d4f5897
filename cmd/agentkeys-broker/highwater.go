package main

import (
	"context"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
)

// raiseEvery is the shortest time between two writes of the mark. A power cut may lose that much of
// it, so a copy that is at most that old is taken for the database itself.
const raiseEvery = time.Second

// keptMark is the progress of the database when it was last served; nil: not known.
func keptMark(dir datadir.Dir) (*broker.Mark, error) {
	h, err := dir.Highwater()
	if h == nil || err != nil {
		return nil, err
	}
	return &broker.Mark{Epoch: h.Epoch, Changes: h.Changes}, nil
}

// raise writes the mark if it has changed, and only after the change itself is durable: with a mark
// ahead of it the database would be taken for a copy.
func (w *wired) raise(ctx context.Context) error {
	mark, err := w.broker.Mark(ctx)
	if err != nil || mark == w.mark {
		return err
	}
	if err := w.dir.SetHighwater(datadir.Highwater{Version: 1, Epoch: mark.Epoch, Changes: mark.Changes}); err != nil {
		return err
	}
	w.mark = mark
	return nil
}
