package access

import "strings"

// UnitOfCgroup finds the system unit in the text of /proc/<pid>/cgroup, as
// sd_pid_get_unit(3) does: the first `.service` or `.scope` from the root of the
// path. So below `user@1000.service` it is that unit and nothing else: a user
// cannot name a unit of his own like one of the system's. Empty: none.
func UnitOfCgroup(text string) string {
	for part := range strings.SplitSeq(systemdPath(text), "/") {
		if part == ".." {
			return "" // seen from inside another cgroup namespace: not to be judged
		}
		part = strings.TrimPrefix(part, "_") // cgroup escaping of systemd
		if strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope") {
			return part
		}
	}
	return ""
}

// systemdPath is the path in systemd's hierarchy: `name=systemd`, or the unified one. In a
// `name=systemd` that a container has from its host and does not use, everybody is at the root.
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
