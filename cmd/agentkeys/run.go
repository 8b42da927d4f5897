package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
)

var envName = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]*\z`)

type runCmd struct {
	Env     []string `help:"Only these: the value of SERVICE as variable KEY. May be repeated; default: every service, as <SERVICE>_API_KEY." placeholder:"KEY=SERVICE" sep:"none"`
	Files   bool     `help:"Put the values into files of a private directory ($$CREDENTIALS_DIRECTORY) instead."`
	Agent   string   `help:"The agent, through the broker." placeholder:"IDENTITY"`
	Command []string `arg:"" help:"The program and its arguments, after --."`
}

// wanted is one credential and the name under which the program gets it.
type wanted struct {
	name    string // of the variable or the file
	service string
	value   secret.String
}

// Run reads all values first and starts the program only if every one was read.
//
// Without --files the program replaces this process (execve). So exit code and signals are the
// program's own, and no second process takes memory on a board with 512 MB.
func (c runCmd) Run(a *app) error {
	list, err := parseEnv(c.Env)
	if err != nil {
		return err
	}
	program, err := find(c.Command[0])
	if err != nil {
		return err
	}
	if list, err = c.fetch(a, list); err != nil {
		return err
	}
	if c.Files {
		return a.runWithFiles(program, c.Command, list)
	}
	if len(c.Env) == 0 {
		list = a.withoutNUL(list)
	}
	environ, err := withValues(a.environ, list)
	if err != nil {
		return err
	}
	err = syscall.Exec(program, c.Command, environ)
	return fmt.Errorf("start %s: %w", program, err)
}

// Errors of find, for which shells have exit codes.
var (
	errProgram       = errors.New("no such program")
	errNotExecutable = errors.New("it is not executable")
)

// find is the path of a program, found as a shell finds it.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s: %w", program, errNotExecutable)
	case errors.Is(err, exec.ErrDot):
		return "", fmt.Errorf("%s is in this directory alone, type ./%s: %w", program, program, errProgram)
	case err != nil:
		return "", fmt.Errorf("%s: %w", program, errProgram)
	}
	return path, nil
}

// parseEnv checks the --env flags before any request.
func parseEnv(texts []string) ([]wanted, error) {
	seen := map[string]bool{}
	var list []wanted
	for _, text := range texts {
		name, service, ok := strings.Cut(text, "=")
		if !ok || !envName.MatchString(name) {
			return nil, cli.Usage(fmt.Sprintf("--env %.64q is not KEY=SERVICE", text), "agentkeys run --env OPENAI_API_KEY=openai -- CMD")
		}
		if err := scope.CheckService(service); err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, cli.Usage(fmt.Sprintf("--env names %s twice", name), "")
		}
		seen[name] = true
		list = append(list, wanted{name: name, service: service})
	}
	return list, nil
}

// fetch reads the values of list, or all values if list is empty.
func (c runCmd) fetch(a *app, list []wanted) ([]wanted, error) {
	src, err := a.source(c.Agent)
	if err != nil {
		return nil, err
	}
	if len(c.Env) == 0 {
		found, err := src.List(a.ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			list = append(list, wanted{name: c.defaultName(e.Service), service: e.Service})
		}
	}
	for i := range list {
		if list[i].value, err = src.Read(a.ctx, list[i].service); err != nil {
			return nil, fmt.Errorf("read %s: %w", list[i].service, err)
		}
	}
	return list, nil
}

func (c runCmd) defaultName(service string) string {
	if c.Files {
		return service // as LoadCredential=SERVICE does
	}
	return scope.EnvName(service)
}

var errNUL = errors.New("it holds a NUL byte, which no environment variable can; use --files")

// withoutNUL leaves out values with a NUL that were not asked for by name, because a variable cannot
// hold them and they would keep the other services from the program.
func (a *app) withoutNUL(list []wanted) []wanted {
	return slices.DeleteFunc(list, func(w wanted) bool {
		unfit := strings.ContainsRune(w.value.Reveal(), 0)
		if unfit {
			a.warn("credential " + w.service + " is left out: " + errNUL.Error())
		}
		return unfit
	})
}

// withValues replaces the variables in environ.
func withValues(environ []string, list []wanted) ([]string, error) {
	taken := map[string]bool{}
	var added []string
	for _, w := range list {
		if strings.ContainsRune(w.value.Reveal(), 0) {
			return nil, fmt.Errorf("credential %s: %w", w.service, errNUL)
		}
		taken[w.name] = true
		added = append(added, w.name+"="+w.value.Reveal())
	}
	var out []string
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !taken[name] {
			out = append(out, entry)
		}
	}
	return append(out, added...), nil
}
