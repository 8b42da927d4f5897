package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// On the machine's own disk: a load during the saves of another process gives a session, and
// does not say that the file is insecure because it was just replaced.
func TestALoadDuringASaveGivesASession(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Mode: words.ModeFile})
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

// A load that finds no head looks for what other programs left. If the first save happens at
// this moment, the entry that it finds belongs to that save, and not to a head that was lost.
func TestALoadDuringAFirstSaveIsNotInconsistent(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"load", "delete"} {
		for at := range 30 {
			m := newMachine(words.ModeAuto, storeMaker)
			m.procs[0].Interrupt(at, func() {
				if err := m.save(t, 1); err != nil && !errors.Is(err, store.ErrBusy) {
					t.Errorf("save: %v", err)
				}
			})
			var err error
			if call == "load" {
				_, _, err = storeOf(m, 0).Load(t.Context(), m.id)
			} else {
				err = storeOf(m, 0).Delete(t.Context(), m.id)
			}
			if err != nil && !errors.Is(err, store.ErrNoSession) {
				t.Errorf("%s during a first save at operation %d: %v", call, at, err)
			}
		}
	}
}

// Two processes load a slot at the same time whose session is still where an earlier version
// had it, or another program put it: the one adopts it, and the other must not say that there
// is none.
func TestALoadDuringAnAdoptionGivesTheSession(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(*testing.T, *machine, string){
		"file of an earlier version": func(t *testing.T, m *machine, text string) {
			process := m.disk.Process()
			home := storeOf(m, 0).Home()
			must(t, process.MakeDir(home, 0o700))
			dir, err := process.OpenDir(home)
			must(t, err)
			must(t, atomicfile.Write(dir, "session", []byte(text)))
		},
		"keychain entry of another program": func(_ *testing.T, m *machine, text string) { m.ring.Set(m.id.String(), text) },
	} {
		for _, mode := range modes() {
			t.Run(name+", "+string(mode), func(t *testing.T) {
				t.Parallel()
				for at := range 60 {
					m := newMachine(mode, storeMaker)
					put(t, m, bare(m.wallet, "earlier", "1700000000"))
					m.procs[0].Interrupt(at, func() {
						ctx, cancel := untilBusy(t, m, 1)
						defer cancel()
						_, _, _ = storeOf(m, 1).Load(ctx, m.id)
					})
					_, _, err := storeOf(m, 0).Load(t.Context(), m.id)
					if errors.Is(err, store.ErrNoSession) && !(mode == words.ModeFile && strings.HasPrefix(name, "keychain")) {
						t.Errorf("interrupted at operation %d: %v", at, err)
					}
				}
			})
		}
	}
}
