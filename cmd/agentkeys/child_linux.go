package main

import "syscall"

// endWithUs ends the program that `run --files` started when this process is killed and cannot pass
// on a signal. Otherwise its files would be removed while it runs.
func endWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
