package keychain

import (
	"context"
	"time"

	dbus "github.com/godbus/dbus/v5"
)

// secretService is the Secret Service of the session bus that getenv names.
type secretService struct {
	getenv  func(string) string
	timeout time.Duration
}

func newPlatform(cfg Config) platform {
	return secretService{getenv: cfg.Env, timeout: cfg.Timeout}
}

func (secretService) maxValue() int             { return 0 }
func (secretService) fits(_, value string) bool { return len(value) <= maxMessage/2 }

func (s secretService) dial(ctx context.Context, signals dbus.SignalHandler) (*dbus.Conn, endpoint, error) {
	places, err := endpoints(s.getenv)
	if err != nil {
		return nil, endpoint{}, err
	}
	return dial(ctx, places, signals)
}
