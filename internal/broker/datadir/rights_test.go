package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/datadir"
	"github.com/agentkeys/agentkeys/test/needs"
)

// What is wrong with the directory is named with the command that mends it; one that is
// another user's is not given away.
func TestAnInsecureDirectoryIsNamedWithItsCommand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode os.FileMode
		uid  int // -1: as it is
		fix  string
	}{
		"others may look":     {0o755, -1, "chmod 700 DIR"},
		"another user's":      {0o700, 54321, "run it as the directory's owner: sudo -u '#54321' agentkeys-broker ..."},
		"another's, and open": {0o755, 54321, "run it as the directory's owner: sudo -u '#54321' agentkeys-broker ..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.uid >= 0 {
				needs.Root(t)
			}
			dir := filepath.Join(t.TempDir(), "data")
			if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, c.mode), os.Chown(dir, c.uid, -1)); err != nil {
				t.Fatal(err)
			}
			_, err := datadir.Existing(dir)
			var wrong *datadir.InsecureError
			if !errors.As(err, &wrong) || !errors.Is(err, datadir.ErrInsecure) {
				t.Fatalf("%v", err)
			}
			want := c.fix
			if c.uid < 0 {
				want = "chmod 700 " + dir
			}
			if wrong.Fix != want {
				t.Errorf("%s, want %s", wrong.Fix, want)
			}
		})
	}
}

func TestADirectoryThatIsNotThereIsTriedWhereItWouldBe(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	if err := datadir.Try(filepath.Join(above, "not", "there")); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(above); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
