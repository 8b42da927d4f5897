package harden

func protect() error { return noCore() }
