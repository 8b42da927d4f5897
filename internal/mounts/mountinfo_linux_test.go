package mounts

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// list is of a Raspberry Pi with raspi-config's overlay, a container, and a few more.
const list = `21 1 0:20 / / rw,relatime - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay,workdir=/media/root-rw/w
22 21 0:21 / /media/root-rw rw,relatime - tmpfs tmpfs-root rw,size=1k
23 1 0:22 / / rw - overlay overlay rw,lowerdir=/a:/b,upperdir=/var/lib/docker/overlay2/x/diff,workdir=/w,xino=off
24 21 8:1 / /media/a\040stick rw,nosuid shared:5 master:1 - vfat /dev/sda1 rw,fmask=0022,dmask=0022
25 21 254:0 / /var/log rw - ext4 /dev/zram0 rw
26 21 0:40 / /home rw - nfs4 server:/export/home rw,vers=4.2
27 21 0:41 / /etc rw - overlay overlay rw,lowerdir=/l,upperdir=/data/with\054comma,workdir=/w
28 1 0:42 / / ro - overlay overlay ro,lowerdir=/a:/b
29 1 0:43 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0
`

func TestTheListOfMountsIsRead(t *testing.T) {
	t.Parallel()
	seen := func(path string) (Mount, error) {
		switch path {
		case "/media/root-rw/overlay":
			return Mount{Type: "tmpfs", Life: UntilReboot}, nil
		case "/data/with,comma":
			return Mount{Type: "ext4"}, nil
		}
		return Mount{}, fs.ErrNotExist
	}
	for name, c := range map[string]struct {
		id   string
		want Mount
	}{
		"an overlay over memory":                 {"21", Mount{Point: "/", Type: "overlay", Source: "overlayroot", Life: UntilReboot}},
		"a tmpfs":                                {"22", Mount{Point: "/media/root-rw", Type: "tmpfs", Source: "tmpfs-root", Life: UntilReboot}},
		"a container's layer":                    {"23", Mount{Point: "/", Type: "overlay", Source: "overlay", Life: WithLayer}},
		"a blank in the name, and more fields":   {"24", Mount{Point: "/media/a stick", Type: "vfat", Source: "/dev/sda1"}},
		"a compressed disk in memory":            {"25", Mount{Point: "/var/log", Type: "ext4", Source: "/dev/zram0", Life: UntilReboot}},
		"a server":                               {"26", Mount{Point: "/home", Type: "nfs4", Source: "server:/export/home"}},
		"an overlay over a disk":                 {"27", Mount{Point: "/etc", Type: "overlay", Source: "overlay"}},
		"an overlay that nothing writes to":      {"28", Mount{Point: "/", Type: "overlay", Source: "overlay", Life: WithLayer}},
		"an overlay of rootless podman":          {"29", Mount{Point: "/", Type: "fuse.fuse-overlayfs", Source: "fuse-overlayfs", Life: WithLayer}},
		"a number that the list does not have":   {"77", Mount{}},
		"no number":                              {"", Mount{}},
		"a number that begins as another number": {"2", Mount{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, upper := find([]byte(list), c.id)
			if got.Type != "" {
				got.Life = lifeOf(got, upper, seen)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALineThatIsTornIsNoMount(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "21", "21 1 0:20 / /", "21 - a b c", "21 1 0:20 / / rw - tmpfs", "21 1 0:20 / / rw tmpfs x y"} {
		if m, _ := find([]byte(line), "21"); m != (Mount{}) {
			t.Errorf("%q gives %v", line, m)
		}
	}
}
