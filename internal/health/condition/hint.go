package condition

import (
	"strings"

	"github.com/agentkeys/agentkeys/internal/display"
)

// Remount is the command that makes the file system at point writable, which holds path. If
// point is empty, the mount is not known, and the command shows it.
func Remount(path, point string) string {
	if point == "" {
		return "findmnt --target " + display.Word(path)
	}
	return "sudo mount -o remount,rw " + display.Word(point)
}

// Room is the command that shows how full the file system of path is. The path exists.
func Room(path string) string { return "df -h " + display.Word(path) }

// AtBroker is a hint with the broker's URL in the place that it has for one. An empty url is
// not known, and stays for the person to fill in.
func AtBroker(hint, url string) string {
	if url == "" {
		return hint
	}
	return strings.ReplaceAll(hint, "--broker URL", "--broker "+display.Word(url))
}
