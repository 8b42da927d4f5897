package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// runWithFiles starts the program with CREDENTIALS_DIRECTORY set, passes signals on, removes the
// directory when the program ends, and exits with its exit code.
func (a *app) runWithFiles(program string, argv []string, list []wanted) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...) // from now on a signal does not end us before the directory is removed
	defer signal.Stop(signals)
	a.sweepPrivateDirs()
	dir, release, err := a.privateDir()
	if err != nil {
		return err
	}
	defer release()
	code, err := a.runIn(dir, program, argv, list, signals)
	if removeErr := os.RemoveAll(dir); removeErr != nil {
		err = errors.Join(err, fmt.Errorf("remove credentials directory: %w", removeErr))
	}
	if err != nil {
		return err
	}
	if code != 0 {
		return cli.Exit(code)
	}
	return nil
}

func (a *app) runIn(dir, program string, argv []string, list []wanted, signals <-chan os.Signal) (int, error) {
	for _, w := range list {
		if err := os.WriteFile(filepath.Join(dir, w.name), []byte(w.value.Reveal()), 0o400); err != nil {
			return 0, fmt.Errorf("write credential %s: %w", w.service, err)
		}
	}
	environ, err := withValues(a.environ, []wanted{{name: "CREDENTIALS_DIRECTORY", value: secret.New(dir)}})
	if err != nil {
		return 0, err
	}
	cmd := &exec.Cmd{Path: program, Args: argv, Env: environ, Stdin: a.stdin, Stdout: a.stdout.Raw(), Stderr: a.stderr, SysProcAttr: endWithUs()}
	runtime.LockOSThread() // endWithUs refers to the thread that starts the program
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan struct{})
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		a.forward(cmd.Process, signals, ended)
	}()
	err = cmd.Wait()
	close(ended)
	<-forwarded
	return exitCode(cmd.ProcessState, err)
}

// forward passes signals to the child. On a terminal the kernel sends ^C and ^\ to both processes,
// so here those are only kept from ending us.
func (a *app) forward(child *os.Process, signals <-chan os.Signal, ended <-chan struct{}) {
	_, terminal := a.terminal()
	for {
		select {
		case s := <-signals:
			if terminal && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
				continue
			}
			_ = child.Signal(s) // the child may have ended
		case <-ended:
			return
		}
	}
}

func passedOn() []os.Signal {
	return []os.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
	}
}

// exitCode is the child's own, or 128 + n if signal n ended it, as shells report it.
func exitCode(state *os.ProcessState, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("wait for the program: %w", err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return state.ExitCode(), nil
}
