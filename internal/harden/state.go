package harden

// State is how the memory of this process is kept, as the kernel tells it.
type State struct {
	Dumpable  bool   // others of this user may read it; false where the system has no such flag
	CoreLimit uint64 // bytes of a core file; 0: none is written
}
