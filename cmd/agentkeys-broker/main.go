// Command agentkeys-broker is the self-hosted server of AgentKeys: it keeps accounts, pairings,
// sessions, manifests, sealed records and the audit trail.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
