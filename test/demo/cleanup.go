package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cleanUp stops all programs, removes the sessions from the keychain if they are there, and
// removes the directory. It runs after a failure too, with a context of its own.
func cleanUp(h *host, r *report) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r.begin("clean-up")
	if len(h.started) > 1 {
		for _, p := range h.started[1:] { // all but the broker
			p.stop()
		}
	}
	slots, err := filepath.Glob(filepath.Join(h.dir, "home", "daemon-*"))
	if err != nil {
		r.check("find the slots", "no error", err.Error())
	}
	for _, slot := range slots {
		wallet := strings.TrimPrefix(filepath.Base(slot), "daemon-")
		r.check("the session of "+wallet+" is removed", "exit 0", exit(h.do(ctx, "", "agentkeys-daemon", "forget", "--wallet", wallet, "--yes")))
	}
	if _, err := os.Stat(filepath.Join(h.dir, "home", filepath.Base(h.dir))); err == nil {
		r.check("the owner's session is removed", "exit 0", exit(h.do(ctx, "", "agentkeys", "revoke", "--yes", "--wipe-keys")))
	}
	if len(h.started) > 0 {
		r.check("the broker stops", "exit 0", fmt.Sprint("exit ", h.started[0].stop()))
	}
	if err := os.RemoveAll(h.dir); err != nil {
		r.check("the directory is removed", "no error", err.Error())
	}
}

func exit(o outcome, err error) string {
	if err != nil {
		return err.Error()
	}
	if o.code != 0 {
		return o.String()
	}
	return "exit 0"
}
