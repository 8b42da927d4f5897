package checkup

import (
	"net"
	"time"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/doctor/holder"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// dialTimeout bounds one connection to a socket of this machine.
const dialTimeout = 5 * time.Second

// Holder finds the running daemon of w by its socket (empty: none was found), else by the lock that it
// holds on its slot. The zero Holder: it cannot be seen from here.
func Holder(socket, lock string, w wallet.Wallet) holder.Holder {
	pid, uid := 0, -1
	if socket != "" {
		pid, uid = listener(socket)
	}
	if pid <= 0 && lock != "" {
		pid, uid = locker(lock)
	}
	if pid <= 0 {
		return holder.Holder{}
	}
	return holder.New(pid, uid, cgroupOf(pid), w)
}

// holderOf finds it for a report: by the socket that was examined, and by the slot's lock.
func holderOf(f doctor.Facts, p *opened, id session.ID, w wallet.Wallet) holder.Holder {
	lock := ""
	if p.store != nil {
		lock = p.store.RunLock(id)
	}
	return Holder(f.Socket.Path, lock, w)
}

// listener asks the kernel which process listens at path; pid 0: it does not tell.
func listener(path string) (pid, uid int) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).Dial("unix", path)
	if err != nil {
		return 0, -1
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, -1
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return 0, -1
	}
	pid, uid = 0, -1
	if err := raw.Control(func(fd uintptr) { pid, uid = otherEnd(int(fd)) }); err != nil {
		return 0, -1
	}
	return pid, uid
}
