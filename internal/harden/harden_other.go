//go:build !linux && !darwin

package harden

func protect() error { return nil }
