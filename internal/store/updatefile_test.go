package store_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Two processes that change one file at the same time: each change stays.
func TestUpdateFileLosesNoChange(t *testing.T) {
	t.Parallel()
	one := open(t, store.Config{Mode: store.ModeFile})
	two := open(t, store.Config{Mode: store.ModeFile, Home: one.Home()})
	id := session.Master()
	save(t, one, id, newSession(wallet.New()))
	const each = 25
	var both sync.WaitGroup
	for _, s := range []*store.Store{one, two} {
		both.Go(func() {
			for range each {
				err := store.ErrBusy // of a lock that the other one took again and again
				for end := time.Now().Add(2 * time.Minute); errors.Is(err, store.ErrBusy) && time.Now().Before(end); {
					err = s.UpdateFile(id, "count.json", func(old []byte) ([]byte, error) {
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
