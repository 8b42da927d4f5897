package paths

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/agentkeys/agentkeys/internal/display"
)

// ErrOthersHome: root would work in another user's home, because sudo kept HOME. Files that
// root makes there would be unreadable for that user. See OthersHomeError.
var ErrOthersHome = errors.New("HOME belongs to another user")

// OthersHomeError names the user. Is ErrOthersHome.
type OthersHomeError struct {
	Home string
	User string // name, or # and the number if there is no name, as sudo accepts it
}

func (e *OthersHomeError) Error() string {
	return fmt.Sprintf("root would keep its own things in %s, which belongs to %s", e.Home, e.User)
}

// Is makes errors.Is(err, ErrOthersHome) true.
func (e *OthersHomeError) Is(target error) bool { return target == ErrOthersHome }

// Command is what that user types instead, given what was typed: the program and its
// arguments.
func (e *OthersHomeError) Command(getenv func(string) string, args []string) string {
	words := make([]string, 0, len(args)+3)
	if getenv("SUDO_UID") == "" { // su, or a root shell with another user's HOME
		words = append(words, "sudo", "-u", display.Word(e.User))
	}
	for i, arg := range args {
		if i == 0 {
			arg = filepath.Base(arg)
		}
		words = append(words, display.Word(arg))
	}
	return strings.Join(words, " ")
}

// MayMake returns ErrOthersHome if root would make files in another user's home only because
// sudo or su kept that user's HOME. With AGENTKEYS_HOME a person names such a home on
// purpose, and root's files are given to the directory's owner.
func MayMake(getenv func(string) string, euid int) error {
	return mayMake(getenv, euid, Owner, systemHome)
}

// Foreign reports whether root works in another user's home, as AGENTKEYS_HOME says, so that
// it cannot reach that user's keychain.
func Foreign(home string, euid int) bool {
	for euid == 0 {
		if uid := Owner(home); uid >= 0 {
			return uid > 0
		}
		parent := filepath.Dir(home)
		if parent == home {
			break
		}
		home = parent
	}
	return false
}

func mayMake(getenv func(string) string, euid int, owner func(string) int, system string) error {
	dir, err := home(getenv, euid, system)
	if err != nil || euid != 0 || getenv("AGENTKEYS_HOME") != "" || dir == system {
		return err
	}
	above := filepath.Dir(dir)
	if resolved, err := filepath.EvalSymlinks(above); err == nil {
		above = resolved
	}
	uid := owner(above)
	if uid <= 0 {
		return nil
	}
	name := "#" + strconv.Itoa(uid)
	if u, err := user.LookupId(name[1:]); err == nil {
		name = u.Username
	}
	return &OthersHomeError{Home: above, User: name}
}
