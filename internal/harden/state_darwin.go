package harden

// Look asks the kernel whether Process had its effect.
func Look() (State, error) {
	limit, err := coreLimit()
	return State{CoreLimit: limit}, err
}
