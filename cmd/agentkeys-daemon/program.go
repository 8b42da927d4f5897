package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/agentkeys/agentkeys/internal/harden"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
)

// program is one run of the command line.
type program struct {
	env    map[string]string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	flags  globals
	// slotUser is whom --run-as makes slots for; nil: as the home says.
	slotUser *store.IDs
}

// run is the whole program without the process around it. It returns the exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 1 && args[1] == keychain.ChildCommand {
		return keychain.Child(stdin, stdout)
	}
	p := &program{env: parseEnv(environ), stdin: stdin, stdout: stdout, stderr: stderr}
	if err := harden.Process(); err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: warning: %v\n", name, err)
	}
	return p.report(p.parseAndRun(ctx, args))
}

func parseEnv(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		if key, value, ok := strings.Cut(entry, "="); ok {
			env[key] = value
		}
	}
	return env
}

func (p *program) getenv(key string) string { return p.env[key] }

// printf writes for people; a broken pipe is nobody's fault.
func (p *program) printf(format string, args ...any) { _, _ = fmt.Fprintf(p.stdout, format, args...) }
