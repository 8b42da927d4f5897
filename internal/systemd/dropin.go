package systemd

import (
	_ "embed" // the text of the drop-in
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

//go:embed desktop-user.conf
var desktopUser string

const dropIn = "desktop-user.conf"

var (
	// ErrForeign: the file at the path of our drop-in was not written by this program. It was
	// left alone; see ForeignError.
	ErrForeign = errors.New("not written by agentkeys-daemon")

	plainName = regexp.MustCompile(`\A[a-zA-Z_][a-zA-Z0-9_.-]{0,62}\z`)
)

// ForeignError names the file in the way. Is ErrForeign.
type ForeignError struct{ Path string }

func (e *ForeignError) Error() string {
	return e.Path + " is in the way: it was not written by agentkeys-daemon, and is left alone"
}

// Is makes errors.Is(err, ErrForeign) true.
func (e *ForeignError) Is(target error) bool { return target == ErrForeign }

// User is the user that an instance runs as.
type User struct {
	Name, Group string // Group is the primary one
	UID, GID    int
}

// DropInPath is the path of the drop-in of w, whether or not it exists.
func (m Machine) DropInPath(w wallet.Wallet) string {
	return filepath.Join(m.dropInDir(w), dropIn)
}

func (m Machine) dropInDir(w wallet.Wallet) string {
	return m.at("/etc/systemd/system/" + Unit(w) + ".d")
}

// RunsAs is the user that our drop-in names for w. fs.ErrNotExist: there is none, so the
// instance runs as the unit's own user. ErrForeign: the file is not ours.
func (m Machine) RunsAs(w wallet.Wallet) (string, error) {
	text, err := m.readDropIn(w)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if user, ok := strings.CutPrefix(strings.TrimSpace(line), "User="); ok {
			return user, nil
		}
	}
	return "", &ForeignError{m.DropInPath(w)}
}

// WriteDropIn makes the unit of w run as u, durably: after a power cut the old file or the
// new one is there. changed is false if the file already said so. ErrForeign: as in RunsAs.
func (m Machine) WriteDropIn(w wallet.Wallet, u User) (changed bool, err error) {
	text := u.dropIn()
	old, err := m.readDropIn(w)
	switch {
	case err == nil && old == text:
		return false, m.syncDropIn(w) // the program that wrote it may have ended before it synced
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if err := makeDir(m.dropInDir(w)); err != nil {
		return false, fmt.Errorf("make drop-in: %w", err)
	}
	if err := replace(m.DropInPath(w), text); err != nil {
		return false, fmt.Errorf("write drop-in: %w", err)
	}
	return true, m.syncDropIn(w)
}

// RemoveDropIn removes our drop-in of w and its directory, if that is empty then. It is no
// error if there is none, or one that is not ours.
func (m Machine) RemoveDropIn(w wallet.Wallet) (removed bool, err error) {
	if _, err := m.readDropIn(w); errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrForeign) {
		return false, nil
	}
	if err := os.Remove(m.DropInPath(w)); err != nil {
		return false, fmt.Errorf("remove drop-in: %w", err)
	}
	if err := m.syncDropIn(w); err != nil {
		return true, err
	}
	_ = os.Remove(m.dropInDir(w)) // not empty: it holds files of the administrator
	return true, nil
}

// readDropIn returns our drop-in. A link or anything else that is not a regular file is not
// ours.
func (m Machine) readDropIn(w wallet.Wallet) (string, error) {
	path := m.DropInPath(w)
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("look at drop-in: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", &ForeignError{path}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read drop-in: %w", err)
	}
	ours, _, _ := strings.Cut(desktopUser, "\n")
	if first, _, _ := strings.Cut(string(data), "\n"); first != ours {
		return "", &ForeignError{path}
	}
	return string(data), nil
}

// dropIn fills in the text. A name that a unit file could misread is replaced by its number.
func (u User) dropIn() string {
	user, group, uid := u.Name, u.Group, strconv.Itoa(u.UID)
	if !plainName.MatchString(user) {
		user = uid
	}
	if !plainName.MatchString(group) {
		group = strconv.Itoa(u.GID)
	}
	return strings.NewReplacer("{user}", user, "{group}", group, "{uid}", uid).Replace(desktopUser)
}

// makeDir makes a directory that every user may read, whatever the umask is.
func makeDir(path string) error {
	err := os.Mkdir(path, 0o755) //nolint:gosec // no secret: units are read by everyone
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, 0o755) //nolint:gosec // as above
}

// replace writes path through a temporary file in the same directory, which systemd does not read.
func replace(path, text string) error {
	temp := path + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o644) //nolint:gosec // no secret: units are read by everyone
	if err != nil {
		return err
	}
	err = f.Chmod(0o644) // whatever the umask is
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp) // the earlier error says more
	}
	return err
}

// syncDropIn makes the entries of the drop-in's directory and its parent durable.
func (m Machine) syncDropIn(w wallet.Wallet) error {
	dir := m.dropInDir(w)
	for _, path := range []string{dir, filepath.Dir(dir)} {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("sync drop-in: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("sync drop-in: %w", err)
		}
	}
	return nil
}
