package brokerclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// OpenPairing opens a pairing request; without authentication.
func (c *Client) OpenPairing(ctx context.Context, p protocol.OpenPairing) (protocol.PairingOpened, error) {
	return ask[protocol.PairingOpened](ctx, c, call{
		operation: "open_pairing", method: http.MethodPost, path: "/v1/pairings", body: p,
	})
}

// PollPairing waits up to wait for the owner's decision; nil, nil: there is none yet.
func (c *Client) PollPairing(ctx context.Context, token secret.String, wait time.Duration) (*protocol.Granted, error) {
	cl := call{operation: "poll_pairing", method: http.MethodGet, path: "/v1/pairings/self", token: token, wait: wait}
	a, err := c.send(ctx, cl)
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusAccepted {
		return nil, nil //nolint:nilnil // documented: not decided yet
	}
	var reply protocol.Granted
	if err := a.into(&reply); err != nil {
		return nil, err
	}
	return &reply, nil
}

// FindPairing finds an open request by the first characters of its code.
func (c *Client) FindPairing(ctx context.Context, token secret.String, lookup string) (protocol.FoundPairing, error) {
	return ask[protocol.FoundPairing](ctx, c, call{
		operation: "find_pairing", method: http.MethodPost, path: "/v1/pairings/find", token: token,
		body: protocol.FindPairing{Lookup: lookup},
	})
}

// ApprovePairing creates the agent: grant, manifest and records in one transaction.
func (c *Client) ApprovePairing(ctx context.Context, token secret.String, p protocol.ApprovePairing) error {
	return c.tell(ctx, call{
		operation: "approve_pairing", method: http.MethodPost, path: "/v1/pairings/approve", token: token, body: p,
	})
}

// DenyPairing refuses a request.
func (c *Client) DenyPairing(ctx context.Context, token secret.String, p protocol.DenyPairing) error {
	return c.tell(ctx, call{
		operation: "deny_pairing", method: http.MethodPost, path: "/v1/pairings/deny", token: token, body: p,
	})
}

// Pairings lists what this owner approved or denied, newest first.
func (c *Client) Pairings(ctx context.Context, token secret.String) ([]protocol.PairingEntry, error) {
	list, err := ask[protocol.PairingList](ctx, c, call{
		operation: "pairings", method: http.MethodGet, path: "/v1/pairings", token: token, list: true,
	})
	return list.Pairings, err
}

// Identity resolves an alias, e-mail or wallet to the wallet; without authentication.
func (c *Client) Identity(ctx context.Context, identity string) (wallet.Wallet, error) {
	reply, err := ask[protocol.Identity](ctx, c, call{
		operation: "identity", method: http.MethodGet, path: "/v1/identities/" + url.PathEscape(identity),
	})
	return reply.Wallet, err
}
