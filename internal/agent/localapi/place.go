package localapi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/words"
)

// Place is a directory for an instance's sockets.
type Place struct {
	Dir string
	// Base must exist and belong to this process's user, as the XDG Base Directory
	// Specification requires of a runtime directory; sudo may keep the variable of another
	// user. Dir is made below it. Empty: no such directory is needed.
	Base string
	Mode fs.FileMode // of the sockets
}

// Pair is both sockets of an instance, in one place.
type Pair struct {
	Agent, Metrics *Socket
	Dir            string
	own            bool // Dir belongs to this instance alone, and is removed with the sockets
}

// Open makes both sockets in the first of the places where that is possible; skipped says why
// it was not possible in those before. A socket on which another program answers (ErrInUse)
// has to be corrected by a person, so Open does not try the next place then.
func Open(places []Place) (p *Pair, skipped, err error) {
	for _, place := range places {
		p, err := place.open()
		if err == nil {
			return p, skipped, nil
		}
		if skipped == nil {
			skipped = err
		} else {
			skipped = fmt.Errorf("%w; %w", skipped, err)
		}
		if errors.Is(err, ErrInUse) {
			break
		}
	}
	return nil, nil, skipped
}

func (p Place) open() (*Pair, error) {
	if err := p.base(); err != nil {
		return nil, err
	}
	agent, err := Listen(p.Dir, words.AgentSocket, p.Mode)
	if err != nil {
		return nil, err
	}
	metrics, err := Listen(p.Dir, words.MetricsSocket, p.Mode)
	if err != nil {
		return nil, errors.Join(err, agent.Close())
	}
	return &Pair{Agent: agent, Metrics: metrics, Dir: p.Dir, own: p.Base != ""}, nil
}

// base checks Base before Dir is made. The directory between the two, which all instances
// share, may be missing.
func (p Place) base() error {
	if p.Base == "" {
		return nil
	}
	if info, err := os.Stat(p.Base); err != nil || !info.IsDir() {
		return fmt.Errorf("runtime directory %s: %w", p.Base, fs.ErrNotExist)
	}
	for _, dir := range []string{p.Base, filepath.Dir(p.Dir)} {
		info, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && int64(owner.Uid) != int64(os.Geteuid()) {
			return fmt.Errorf("runtime directory %s: it belongs to uid %d, not to this program's user", dir, owner.Uid)
		}
	}
	return nil
}

// Intact reports whether both files are at their paths.
func (p *Pair) Intact() bool { return p.Agent.Intact() && p.Metrics.Intact() }

// Close closes both, and removes a directory that was made for them. A directory that stays
// tells clients that the daemon ended unexpectedly, so that they wait for it.
func (p *Pair) Close() error {
	err := errors.Join(p.Agent.Close(), p.Metrics.Close())
	if p.own {
		_ = os.Remove(p.Dir) // only if it is empty
	}
	return err
}
