package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// onNFS is a store whose disk keeps what is removed while it is open.
func onNFS(t *testing.T, now func() time.Time) (*store.Store, *storetest.Disk) {
	t.Helper()
	disk := storetest.NewDisk(now)
	disk.LikeNFS()
	s, err := store.New(store.Config{Home: "/home/pi/.agentkeys", Mode: words.ModeFile, FS: disk.Process(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return s, disk
}

func wantNoFiles(t *testing.T, disk *storetest.Disk, of session.ID) {
	t.Helper()
	for path := range disk.Files() {
		if strings.Contains(path, of.String()) {
			t.Errorf("left over: %s", path)
		}
	}
}

// The owner has approved the pairing: what cannot be removed yet is no error, and is removed
// when the pairing's own lock ends.
func TestAPairingOnNFSIsNoFault(t *testing.T) {
	t.Parallel()
	s, disk := onNFS(t, time.Now)
	pending, id := session.NewPendingID(), session.DaemonID(wallet.New())
	if _, err := s.Save(t.Context(), pending, newPending()); err != nil {
		t.Fatal(err)
	}
	release, err := s.HoldRun(pending)
	if err != nil {
		t.Fatal(err)
	}
	v := newSession(wallet.New())
	if _, err := s.Promote(t.Context(), pending, id, v); err != nil {
		t.Fatalf("after the approval: %v", err)
	}
	wantToken(t, s, id, v)
	slots, err := s.List()
	if err != nil || len(slots) != 1 || slots[0].ID != id {
		t.Errorf("half removed it is still a slot: %v, %v", slots, err)
	}
	if _, err := s.Promote(t.Context(), pending, id, v); err != nil {
		t.Errorf("repeated: %v", err)
	}
	release()
	wantNoFiles(t, disk, pending)
}

func TestAnExpiredPairingOnNFSIsRemoved(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, disk := onNFS(t, func() time.Time { return now })
	pending := session.NewPendingID()
	if _, err := s.Save(t.Context(), pending, newPending()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(25 * time.Hour)
	if err := s.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNoFiles(t, disk, pending)
}

func TestADeniedPairingOnNFSIsRemoved(t *testing.T) {
	t.Parallel()
	s, disk := onNFS(t, time.Now)
	pending := session.NewPendingID()
	if _, err := s.Save(t.Context(), pending, newPending()); err != nil {
		t.Fatal(err)
	}
	release, err := s.HoldRun(pending)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), pending); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(t.Context(), pending); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("load: %v", err)
	}
	release()
	wantNoFiles(t, disk, pending)
}

// A process has the head open while it is removed, and closes it afterwards.
func TestAReaderOfARemovedPairingOnNFSKeepsOnlyTheDirectory(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, disk := onNFS(t, func() time.Time { return now })
	pending := session.NewPendingID()
	if _, err := s.Save(t.Context(), pending, newPending()); err != nil {
		t.Fatal(err)
	}
	dir, err := disk.Process().OpenDir(s.Dir(pending))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := dir.Open("session.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), pending); err != nil {
		t.Fatal(err)
	}
	if slots, err := s.List(); err != nil || len(slots) != 0 {
		t.Errorf("half removed it is still a slot: %v, %v", slots, err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(25 * time.Hour)
	if err := s.Reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Process().OpenDir(s.Dir(pending)); err == nil {
		t.Error("the directory stays")
	}
}
