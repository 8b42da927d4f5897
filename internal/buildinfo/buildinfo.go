// Package buildinfo says which build of AgentKeys a program is.
//
// The Makefile sets the version with -ldflags. A program that was built with plain
// `go build` or `go install` uses what the Go toolchain recorded.
package buildinfo

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// version is set by the linker: -X github.com/agentkeys/agentkeys/internal/buildinfo.version=v1.2.3.
var version string

// develVersion is the version of a build for which none was set or recorded.
const develVersion = "devel"

// Info describes one build. Every field may be shown to anyone: it is in the output of
// `version`, in the metric agentkeys_build_info and in the report to the broker.
type Info struct {
	Version   string    // never empty; "devel" when unknown
	Revision  string    // commit hash; "" when the build did not record one
	Modified  bool      // the checkout differed from Revision
	Date      time.Time // of the commit, so certainly past; zero when the build did not record it
	GoVersion string    // as runtime.Version: "go1.26.0"
	Platform  string    // "linux/arm64"
}

// Version is the version alone, never empty.
func Version() string { return Get().Version }

// Get reads the facts of the running program. It does not fail: what the build
// did not record stays empty.
func Get() Info {
	recorded, _ := debug.ReadBuildInfo() // nil when the program was built without modules
	return describe(version, recorded)
}

// describe makes the Info from the linked version and the recorded build information.
func describe(linked string, recorded *debug.BuildInfo) Info {
	info := Info{
		Version:   linked,
		GoVersion: runtime.Version(),
		Platform:  runtime.GOOS + "/" + runtime.GOARCH,
	}
	if recorded != nil {
		info.Revision = setting(recorded, "vcs.revision")
		info.Modified = setting(recorded, "vcs.modified") == "true"
		info.Date, _ = time.Parse(time.RFC3339, setting(recorded, "vcs.time")) // zero where it is absent
		if info.Version == "" && recorded.Main.Version != "(devel)" {
			info.Version = recorded.Main.Version
		}
	}
	if info.Version == "" {
		info.Version = develVersion
	}
	return info
}

func setting(recorded *debug.BuildInfo, key string) string {
	for _, s := range recorded.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// String is one line for people: "v1.2.3 (go1.26.0, linux/arm64, 0123456789ab)".
func (i Info) String() string {
	if i.Revision == "" {
		return fmt.Sprintf("%s (%s, %s)", i.Version, i.GoVersion, i.Platform)
	}
	revision := i.Revision[:min(len(i.Revision), 12)]
	if i.Modified {
		revision += "+changes"
	}
	return fmt.Sprintf("%s (%s, %s, %s)", i.Version, i.GoVersion, i.Platform, revision)
}
