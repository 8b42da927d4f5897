package brokerclient

import (
	"context"
	"net/http"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// Info asks for the broker's version, epoch and time; without authentication.
func (c *Client) Info(ctx context.Context) (protocol.Info, error) {
	return ask[protocol.Info](ctx, c, call{operation: "info", method: http.MethodGet, path: "/v1/info"})
}

// CreateAccount creates an owner's account, for the person who has the set-up token.
func (c *Client) CreateAccount(ctx context.Context, setupToken secret.String, a protocol.Account) (protocol.SessionInfo, error) {
	return ask[protocol.SessionInfo](ctx, c, call{
		operation: "create_account", method: http.MethodPost, path: "/v1/accounts", token: setupToken, body: a,
	})
}

// OpenAccount opens an owner's account in the broker's current epoch.
func (c *Client) OpenAccount(ctx context.Context, token secret.String, o protocol.OpenAccount) error {
	return c.tell(ctx, call{operation: "open_account", method: http.MethodPost, path: "/v1/accounts/open", token: token, body: o})
}

// SetEpoch makes every later request name this epoch. It tells a broker whose database was
// restored that the owner knows of it, so that it answers before the account is open.
func (c *Client) SetEpoch(epoch string) { c.epoch.Store(&epoch) }

// SeenEpoch is the epoch that the broker's last answer named; empty: it named none.
func (c *Client) SeenEpoch() string {
	if epoch := c.seen.Load(); epoch != nil {
		return *epoch
	}
	return ""
}

// Session asks about the session of token.
func (c *Client) Session(ctx context.Context, token secret.String) (protocol.SessionInfo, error) {
	return ask[protocol.SessionInfo](ctx, c, call{operation: "session", method: http.MethodGet, path: "/v1/session", token: token})
}

// EndSession ends the session of token. For an agent e has the device's proof; for an owner
// it is the zero value.
func (c *Client) EndSession(ctx context.Context, token secret.String, e protocol.EndSession) error {
	cl := call{operation: "end_session", method: http.MethodDelete, path: "/v1/session", token: token}
	if len(e.Proof) > 0 {
		cl.body = e
	}
	return c.tell(ctx, cl)
}

// Renew registers the hash of the next token. Sending the same hash again has no effect.
func (c *Client) Renew(ctx context.Context, token secret.String, r protocol.Renew) (protocol.SessionInfo, error) {
	return ask[protocol.SessionInfo](ctx, c, call{
		operation: "renew", method: http.MethodPost, path: "/v1/session/renew", token: token, body: r,
	})
}

// Resume registers a new token by the proof of a key; no token is needed.
func (c *Client) Resume(ctx context.Context, r protocol.Resume) (protocol.SessionInfo, error) {
	return ask[protocol.SessionInfo](ctx, c, call{
		operation: "resume", method: http.MethodPost, path: "/v1/session/resume", body: r,
	})
}

// Sync asks for an agent's own manifest and waits up to wait for a change. nil means that
// the manifest named by etag is still the current one.
func (c *Client) Sync(ctx context.Context, token secret.String, etag string, wait time.Duration) (*protocol.Sync, string, error) {
	cl := call{operation: "sync", method: http.MethodGet, path: "/v1/agent/sync", token: token, wait: wait}
	if etag != "" {
		cl.condition = [2]string{"If-None-Match", etag}
	}
	a, err := c.send(ctx, cl)
	if err != nil {
		return nil, etag, err
	}
	if a.status == http.StatusNotModified && etag != "" {
		return nil, etag, nil
	}
	var reply protocol.Sync
	if err := a.into(&reply); err != nil {
		return nil, etag, err
	}
	return &reply, a.header.Get("ETag"), nil
}

// Report sends the agent's state and the accesses that it granted and denied.
func (c *Client) Report(ctx context.Context, token secret.String, r protocol.Report) error {
	return c.tell(ctx, call{operation: "report", method: http.MethodPost, path: "/v1/agent/report", token: token, body: r})
}
