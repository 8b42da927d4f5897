package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

const (
	highwaterName = "highwater"
	maxHighwater  = 4 << 10 // bytes
)

// Highwater is the progress of the database of this directory, stored outside of it. A
// database with less progress was restored from a copy by hand (ADR 16).
type Highwater struct {
	Version int    `json:"version"` // 1
	Epoch   string `json:"epoch"`
	Changes int64  `json:"changes"`
}

// Highwater reads the mark; nil: there is none yet. A mark that cannot be read fits no
// database, so that in doubt the database counts as restored.
func (d Dir) Highwater() (*Highwater, error) {
	data, err := d.read(highwaterName, maxHighwater)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a missing mark is no error
	}
	if err != nil && !errors.Is(err, atomicfile.ErrWrongType) {
		return nil, fmt.Errorf("read highwater: %w", err)
	}
	var h Highwater
	if err != nil || strictjson.Decode(data, &h) != nil || h.Version != 1 {
		return &Highwater{Version: 1}, nil
	}
	return &h, nil
}

// SetHighwater writes the mark, durably.
func (d Dir) SetHighwater(h Highwater) error {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode highwater: %w", err)
	}
	dir, err := atomicfile.System{}.OpenDir(d.path)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	return errors.Join(atomicfile.Write(dir, highwaterName, append(data, '\n')), dir.Close())
}

func (d Dir) read(name string, most int64) ([]byte, error) {
	dir, err := atomicfile.System{}.OpenDir(d.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // nothing was written to it
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, most))
}
