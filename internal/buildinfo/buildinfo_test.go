package buildinfo_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2025-03-01T12:00:00Z"}}
	commit := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		linked   string
		recorded *debug.BuildInfo
		want     buildinfo.Info
	}{
		"nothing known":                {want: buildinfo.Info{Version: "devel"}},
		"the toolchain's devel":        {recorded: &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, want: buildinfo.Info{Version: "devel"}},
		"go install of a release":      {recorded: &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, want: buildinfo.Info{Version: "v1.2.3"}},
		"the linker's word goes first": {linked: "v2.0.0", recorded: &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, want: buildinfo.Info{Version: "v2.0.0"}},
		"commit and changes":           {recorded: &debug.BuildInfo{Settings: vcs}, want: buildinfo.Info{Version: "devel", Revision: "abc", Modified: true, Date: commit}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.want.GoVersion, tt.want.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
			if diff := cmp.Diff(tt.want, buildinfo.Describe(tt.linked, tt.recorded)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	long := "0123456789abcdef0123456789abcdef01234567"
	tests := map[string]struct {
		info buildinfo.Info
		want string
	}{
		"no commit": {buildinfo.Info{Version: "v1", GoVersion: "go1.26.0", Platform: "linux/arm"}, "v1 (go1.26.0, linux/arm)"},
		"commit":    {buildinfo.Info{Version: "v1", Revision: long, GoVersion: "go1.26.0", Platform: "linux/arm"}, "v1 (go1.26.0, linux/arm, 0123456789ab)"},
		"changed":   {buildinfo.Info{Version: "v1", Revision: "ab", Modified: true, GoVersion: "go1.26.0", Platform: "linux/arm"}, "v1 (go1.26.0, linux/arm, ab+changes)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.info.String(); got != tt.want {
				t.Errorf("String() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestVersionIsNeverEmpty(t *testing.T) {
	t.Parallel()
	if buildinfo.Version() == "" {
		t.Error("Version() is empty")
	}
}
