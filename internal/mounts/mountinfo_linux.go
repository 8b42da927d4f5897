package mounts

import (
	"bytes"
	"slices"
	"strings"
)

// find looks for the mount with this number in a list of the form of /proc/self/mountinfo
// (proc_pid_mountinfo(5)); the zero Mount if it is not there. upper is the directory that an
// overlay writes to; empty if the list does not say.
func find(list []byte, id string) (m Mount, upper string) {
	for line := range bytes.Lines(list) {
		fields := strings.Fields(string(line))
		end := slices.Index(fields, "-") // type, source and options of the file system follow
		if id == "" || end < 6 || len(fields) < end+3 || fields[0] != id {
			continue
		}
		m = Mount{Point: unescape(fields[4]), Type: fields[end+1], Source: unescape(fields[end+2])}
		if len(fields) > end+3 {
			upper = upperDir(fields[end+3])
		}
		return m, upper
	}
	return Mount{}, ""
}

func upperDir(options string) string {
	for option := range strings.SplitSeq(options, ",") {
		if dir, ok := strings.CutPrefix(option, "upperdir="); ok {
			return unescape(dir)
		}
	}
	return ""
}

// lifeOf says how long m keeps what is written. For an overlay that is the life of the file
// system that holds its upper directory, which at finds if this process sees that directory.
func lifeOf(m Mount, upper string, at func(path string) (Mount, error)) Life {
	switch {
	case inMemory(m.Type, m.Source):
		return UntilReboot
	case m.Type != "overlay" && m.Type != "fuse.fuse-overlayfs":
		return Stays
	case !strings.HasPrefix(upper, "/"):
		return WithLayer
	}
	under, err := at(upper)
	if err != nil {
		return WithLayer
	}
	return under.Life
}

// unescape undoes the kernel's octal escapes, such as \040 for a blank.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) && octal(text[i+1]) && octal(text[i+2]) && octal(text[i+3]) {
			b.WriteByte((text[i+1]-'0')<<6 | (text[i+2]-'0')<<3 | (text[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }
