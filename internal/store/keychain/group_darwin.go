package keychain

import "syscall"

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func ownExecutable() string { return pathOfExecutable() }
