package checkup

import (
	"errors"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// Journal is the state file without which no command of an owner works, as its package
// knows it.
type Journal struct {
	Name      string
	Warn      int64                   // bytes from which a person should know
	Limit     int64                   // bytes up to which it grows
	FileLimit int64                   // bytes that it may have
	Check     func(data []byte) error // what a command would say of its content
}

// journal reads the owner's file as a command would. nil: there is none, or it is not this
// program's to look at.
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
