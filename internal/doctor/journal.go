package doctor

// Journal is the file in which an owner's machine keeps what it has seen of the fleet.
type Journal struct {
	Name   string
	Unread string // why no command of the owner works; empty: it can be read
	Size   int64  // bytes
	Warn   int64  // from here on a person should know
	Limit  int64
}

func (f Facts) journal() []finding {
	const name = "journal"
	j := f.Journal
	switch {
	case j == nil:
		return nil
	case j.Unread != "":
		return one(fail(name, "", "%s cannot be used, so no command of the owner works; bring it back from a backup of this machine: %s", j.Name, j.Unread))
	case j.Size >= j.Warn:
		return one(warn(name, "agentkeys teardown", "%s is %d MiB of at most %d: tear down the agents that are not used any more", j.Name, j.Size>>20, j.Limit>>20))
	}
	return one(ok(name, "%s is %d KiB, and may have %d MiB", j.Name, (j.Size+1023)>>10, j.Limit>>20))
}
