package slotdir_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
)

// Two processes change one file at the same time, and each change stays.
func TestUpdateFileLosesNoChange(t *testing.T) {
	t.Parallel()
	home := newHome(t, slotdir.Config{})
	id := session.Master()
	makeSlot(t, home, id)
	one, two := home.Files(), newHome(t, slotdir.Config{Home: home.Files().Home()}).Files()
	const each = 25
	var both sync.WaitGroup
	for _, files := range []slotdir.Files{one, two} {
		both.Go(func() {
			for range each {
				err := slotdir.ErrBusy // of a lock that the other process took again and again
				for end := time.Now().Add(2 * time.Minute); errors.Is(err, slotdir.ErrBusy) && time.Now().Before(end); {
					err = files.UpdateFile(id, "count.json", func(old []byte) ([]byte, error) {
						n, _ := strconv.Atoi(string(old)) // nil at first: zero
						return []byte(strconv.Itoa(n + 1)), nil
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	if got, err := one.ReadFile(id, "count.json"); err != nil || string(got) != strconv.Itoa(2*each) {
		t.Errorf("%s, %v", got, err)
	}
	refused := errors.New("no")
	if err := one.UpdateFile(id, "count.json", func([]byte) ([]byte, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if got, _ := one.ReadFile(id, "count.json"); string(got) != strconv.Itoa(2*each) {
		t.Errorf("a refused change wrote %s", got)
	}
}
