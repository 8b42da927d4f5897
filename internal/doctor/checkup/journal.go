package checkup

import (
	"errors"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// Journal describes the state file that every command of an owner needs, as its package knows it.
type Journal struct {
	Name      string
	Warn      int64                   // bytes from which a person should be warned
	Limit     int64                   // bytes up to which it grows
	FileLimit int64                   // bytes that it may have
	Check     func(data []byte) error // the error that a command would have because of its content
}

// journal reads the owner's file as a command would. nil: there is none, or this program must not read
// it.
func (m *machine) journal(s *store.Store, id session.ID) *doctor.Journal {
	j := m.cfg.Journal
	if j == nil {
		return nil
	}
	data, err := s.ReadFile(id, j.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	out := &doctor.Journal{Name: j.Name, Size: int64(len(data)), Warn: j.Warn, Limit: j.Limit}
	if err == nil {
		err = j.Check(data)
	}
	if err != nil {
		out.Unread = err.Error()
	}
	return out
}
