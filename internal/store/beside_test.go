package store_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// On the machine's own disk: whoever loads while another process saves gets a
// session, and is not told that the file is insecure because it was just replaced.
func TestALoadBesideASaveGivesASession(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Mode: store.ModeFile})
	id, v := session.Master(), newSession(wallet.New())
	save(t, s, id, v)
	saved := make(chan error, 1)
	go func() {
		for range 200 {
			if _, err := s.Save(t.Context(), id, v); err != nil {
				saved <- err
				return
			}
		}
		saved <- nil
	}()
	for last := uint64(0); ; {
		select {
		case err := <-saved:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
		_, info, err := s.Load(t.Context(), id)
		if err != nil || info.Generation < last {
			t.Errorf("load: generation %d after %d, %v", info.Generation, last, err)
			<-saved
			return
		}
		last = info.Generation
	}
}
