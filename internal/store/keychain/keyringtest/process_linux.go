package keyringtest

import (
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
	if err := syscall.Kill(p.PID(), s); err != nil {
		p.t.Error(err)
	}
}
