package keyringtest

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// Run runs a program with exactly env and returns its stdout; the test fails when
// the program does.
func Run(t testing.TB, env []string, stdin, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", program, args, err)
	}
	return string(out)
}
