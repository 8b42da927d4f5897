package main

import (
	"context"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/datadir"
)

// raiseEvery bounds how often the mark is written: a power cut may lose so much of it,
// so a copy that is as young as that passes for the database itself.
const raiseEvery = time.Second

// keptMark is how far the database had come when it was last served; nil: not known.
func keptMark(dir datadir.Dir) (*broker.Mark, error) {
	h, err := dir.Highwater()
	if h == nil || err != nil {
		return nil, err
	}
	return &broker.Mark{Epoch: h.Epoch, Changes: h.Changes}, nil
}

// raise keeps the mark where it moved. Only after the change itself is durable: a mark
// that is ahead of its database would call it a copy.
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
