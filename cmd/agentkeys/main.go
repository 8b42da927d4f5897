// Command agentkeys is what an owner types to make an account, approve boards, and
// store and read credentials, and what agents type next to a daemon on the board.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
