package harden

// State tells how the memory of this process is protected, by the kernel's word.
type State struct {
	Dumpable  bool   // other processes of this user may read it; false where the system has no such flag
	CoreLimit uint64 // bytes of a core file; 0: none is written
}
