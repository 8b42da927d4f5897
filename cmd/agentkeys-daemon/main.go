// Command agentkeys-daemon keeps one agent's session on an edge machine: it pairs
// the machine with an owner, renews the session, and serves the agent's credentials
// to the programs beside it (docs/spec/architecture.md).
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
