// Command agentkeys-daemon keeps one agent's session on an edge machine: it pairs the machine with an
// owner, renews the session, and serves the agent's credentials to programs on the machine
// (docs/spec/architecture.md#the-daemon).
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
