package exporter

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/prometheus/common/expfmt"
)

// textMode is the mode of a text file: node_exporter reads it as a user of its own. It has nothing
// that metrics.sock does not tell every program of the machine.
const textMode fs.FileMode = 0o644

// WriteFile asks all instances and replaces the file at path by the exposition, for node_exporter's
// textfile collector. The file has either the old content or the new one, at every time.
func (e *Exporter) WriteFile(path string) error {
	families, err := e.Gather()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			return fmt.Errorf("encode %s: %w", f.GetName(), err)
		}
	}
	return replace(path, text.Bytes())
}

// replace writes a file in the same directory and renames it. It is not synced: after a power cut the next run
// of the timer writes it again. The collector reads *.prom, so not the file before the rename.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(textMode)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error says more
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
