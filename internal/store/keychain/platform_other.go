//go:build !linux && !darwin

package keychain

import (
	"context"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/store"
)

const noKeychain = "this system's keychain is not supported"

type disabled struct{}

func newPlatform(Config) platform { return disabled{} }

func (disabled) probe(context.Context) (store.Probe, string) {
	return store.Probe{State: store.StateDisabled, Provider: providerUnknown, Reason: noKeychain}, ""
}

func (disabled) watch(context.Context, func()) bool { return false }
func (disabled) maxValue() int                      { return 0 }
func (disabled) fits(string, string) bool           { return true }

func openEntryStore(func(string) string) entryStore { return disabled{} }

func (disabled) get(string) ([]byte, error) { return nil, unavailable() }
func (disabled) put(string, string) error   { return unavailable() }
func (disabled) delete(string) error        { return unavailable() }

func unavailable() error {
	return &store.UnavailableError{State: store.StateDisabled, Reason: noKeychain}
}

func ownGroup() *syscall.SysProcAttr { return nil }
func killGroup(int) error            { return nil }
func killOwnGroup()                  {}
func ownExecutable() string          { return pathOfExecutable() }
