package main

import "syscall"

// endWithUs ends the program that `run --files` started when this process is killed and
// can pass on no signal any more. Its files would be taken away below it.
func endWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
