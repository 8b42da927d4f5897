// Command agentkeys-exporter gathers the metrics of all instances of agentkeys-daemon on one machine,
// so that Prometheus has one target for each machine.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Environ(), os.Stdout, os.Stderr))
}
