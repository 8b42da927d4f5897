package harden

// Look reads from the kernel what Process has achieved.
func Look() (State, error) {
	limit, err := coreLimit()
	return State{CoreLimit: limit}, err
}
