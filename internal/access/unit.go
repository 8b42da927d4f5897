package access

import "strings"

// UnitOfCgroup finds the system unit in the text of /proc/<pid>/cgroup, as
// sd_pid_get_unit(3) does: the first `.service` or `.scope` from the root of the path. A
// process of a user's own unit is therefore in `user@1000.service`; a user cannot name a
// unit of theirs like a system unit and match its rule. Empty: none.
func UnitOfCgroup(text string) string {
	for part := range strings.SplitSeq(systemdPath(text), "/") {
		if part == ".." {
			return "" // the path leads out of our cgroup namespace, so its names prove nothing
		}
		part = strings.TrimPrefix(part, "_") // cgroup escaping of systemd
		if strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope") {
			return part
		}
	}
	return ""
}

// systemdPath is the path in systemd's hierarchy: `name=systemd`, or the unified one. Inside
// a container the `name=systemd` hierarchy of the host may be visible but unused; then every
// process is at its root.
func systemdPath(text string) string {
	unified := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			unified = path
		}
		if _, path, ok := strings.Cut(line, ":name=systemd:"); ok && path != "/" {
			return path
		}
	}
	return unified
}
