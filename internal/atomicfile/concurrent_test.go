package atomicfile_test

import (
	"errors"
	"os"
	"testing"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
)

// A reader gets the old file or the new one, and no error, although the writer may replace the
// file between the reader's check and its open, and after the open.
func TestAReaderDuringAWriteOpensOneOfTheTwo(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	writer, reader := openDir(t, atomicfile.System{}, path), openDir(t, atomicfile.System{}, path)
	if err := atomicfile.Write(writer, "f", []byte("old")); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		for range 300 {
			// Without the syncs of Write, so that it happens more often.
			if err := errors.Join(os.WriteFile(path+"/next", []byte("new"), 0o600), writer.Rename("next", "f")); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for {
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
		f, err := reader.Open("f")
		if err != nil {
			t.Errorf("open: %v", err)
			<-written
			return
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
