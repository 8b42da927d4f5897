package mounts

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

func TestThePathIsBelowItsMount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := Of(dir)
	if err != nil || m.Type == "" || m.ReadOnly {
		t.Fatalf("%+v, %v", m, err)
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Point != "" && m.Point != "/" && !strings.HasPrefix(resolved, m.Point+"/") {
		t.Errorf("%s is said to lie in %q", resolved, m.Point)
	}
	missing, err := Of(filepath.Join(dir, "not", "there", "yet"))
	if err != nil || missing != m {
		t.Errorf("a path that is not there: %+v, %v; want %+v", missing, err, m)
	}
}

func TestMemoryIsGoneAfterAReboot(t *testing.T) {
	t.Parallel()
	m, err := Of(needs.Memory(t))
	if err != nil || m.Type != "tmpfs" || m.Life != UntilReboot {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAMountIsNamedToAPerson(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]Mount{
		"tmpfs at /tmp":                  {Point: "/tmp", Type: "tmpfs", Source: "tmpfs"},
		"ext4 at /srv (/dev/sda1)":       {Point: "/srv", Type: "ext4", Source: "/dev/sda1"},
		"nfs4 at /home (server:/export)": {Point: "/home", Type: "nfs4", Source: "server:/export"},
		"vfat":                           {Type: "vfat"},
	} {
		if got := m.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAnotherMachinesFilesAreOnTheNetwork(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{"nfs4": true, "cifs": true, "fuse.sshfs": true, "ext4": false, "fuse.mergerfs": false, "apfs": false} {
		if got := (Mount{Type: kind}).Network(); got != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
}
