// Command agentkeys is for owners, to create an account, approve boards, and store and read
// credentials, and for agents on a board with a daemon.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
