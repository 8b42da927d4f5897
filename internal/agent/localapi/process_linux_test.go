package localapi

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// On a kernel before 6.5 only the traits tell the peer from a process that got its number.
func TestAProcessThatIsNotThePeersUserIsNotThePeer(t *testing.T) {
	t.Parallel()
	self := unix.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	for name, c := range map[string]struct {
		cred unix.Ucred
		want error
	}{
		"the same":      {self, nil},
		"another user":  {unix.Ucred{Pid: self.Pid, Uid: self.Uid + 1, Gid: self.Gid}, errGone},
		"another group": {unix.Ucred{Pid: self.Pid, Uid: self.Uid, Gid: self.Gid + 1}, errGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := processByTraits(&c.cred)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && (!p.is() || p.pidfd != -1) {
				t.Fatalf("%+v is not this process by its traits", p)
			}
		})
	}
}

// A peer that is gone has no unit: whatever has its number by now is another process.
func TestNoOtherErrorThanAnOldKernelsLetsTheTraitsDecide(t *testing.T) {
	t.Parallel()
	self := unix.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := processOf(int(file.Fd()), &self); !errors.Is(err, unix.ENOTSOCK) {
		t.Fatalf("got %v, want ENOTSOCK", err)
	}
}

func TestThePeerOfASocketIsFound(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	got, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Close() }()
	if peer := lookup(got); peer.PID != int32(os.Getpid()) || peer.UID != uint32(os.Geteuid()) {
		t.Fatalf("peer %+v", peer)
	}
}

// A process that started later, or changed its user, is not the one that connected.
func TestAProcessIsKnownByItsTraits(t *testing.T) {
	t.Parallel()
	now, err := traitsOf(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]traits{
		"a later start": {start: now.start + "0", uid: now.uid, gid: now.gid},
		"another user":  {start: now.start, uid: now.uid + 1, gid: now.gid},
		"another group": {start: now.start, uid: now.uid, gid: now.gid + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := process{pid: int32(os.Getpid()), pidfd: -1, traits: other}
			if p.is() {
				t.Fatal("taken for the peer")
			}
			if _, err := p.cgroup(); !errors.Is(err, errGone) {
				t.Fatalf("its control group was believed: %v", err)
			}
		})
	}
}
