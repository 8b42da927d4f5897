package keyringtest

import (
	"errors"
	"os/exec"
	"syscall"
)

func lead(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func kill(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// Stop freezes it, so that it answers nothing; Continue undoes that.
func (p *Process) Stop() { p.signal(syscall.SIGSTOP) }

// Continue undoes Stop.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	// An error means that it has ended by itself, which Ended tells.
	if err := syscall.Kill(p.PID(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Error(err)
	}
}
