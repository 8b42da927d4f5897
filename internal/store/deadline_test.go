package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// One keychain operation takes 2 s, the lock 5 s; a save may take three operations
// and a delete four.
func TestInvariant07EveryCallReturnsByItsDeadline(t *testing.T) {
	t.Parallel()
	const slack = 50 * time.Millisecond
	id := session.Master()
	save := func(s *store.Store) { _, _ = s.Save(context.Background(), id, newSession(wallet.New())) }
	load := func(s *store.Store) { _, _, _ = s.Load(context.Background(), id) }
	for name, c := range map[string]struct {
		call  func(*store.Store)
		locks int
		limit time.Duration
	}{
		"save while the keychain hangs":     {save, 0, 6 * time.Second},
		"load while the keychain hangs":     {load, 0, 2 * time.Second},
		"delete while the keychain hangs":   {func(s *store.Store) { _ = s.Delete(context.Background(), id) }, 0, 8 * time.Second},
		"reconcile on a hung keychain":      {func(s *store.Store) { _ = s.ReconcileSlot(context.Background(), id) }, 0, 8 * time.Second},
		"save while another holds the lock": {save, 1, 5 * time.Second},
		"load with a deadline of its own": {func(s *store.Store) {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			_, _, _ = s.Load(ctx, id)
		}, 0, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ring, disk := storetest.NewKeyring(), storetest.NewDisk(nil)
				s := open(t, store.Config{Home: "/h", Keychain: ring.Client(nil), FS: disk.Process()})
				save(s)
				ring.WaitForDeadlines()
				ring.SetFault(func(storetest.Operation) storetest.Fault { return storetest.FaultHang })
				if c.locks > 0 {
					holdLock(t, disk, "/h/master")
				}
				start := time.Now()
				c.call(s)
				if took := time.Since(start); took > c.limit+slack {
					t.Fatalf("took %v, limit %v", took, c.limit)
				}
			})
		})
	}
}

// holdLock keeps a slot locked as another process would.
func holdLock(t *testing.T, disk *storetest.Disk, path string) {
	t.Helper()
	dir, err := disk.Process().OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Lock(".lock"); err != nil {
		t.Fatal(err)
	}
}
