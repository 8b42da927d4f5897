package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// childrenOf says what a process started: children that live, or page faults of
// children that ended and were waited for (proc(5), fields 11 and 13). Empty: none,
// for no program runs without a page fault.
func childrenOf(t testing.TB, pid int) string {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Fatalf("no list of children: %v", err)
	}
	for _, list := range lists {
		if data, err := os.ReadFile(list); err == nil && len(data) > 0 {
			return "children " + string(data)
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // the first is field 3
	if faults := fields[11-3] + " " + fields[13-3]; faults != "0 0" {
		return "children that ended, page faults " + faults
	}
	return ""
}
