package brokerclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func agentPath(w wallet.Wallet, rest string) string { return "/v1/agents/" + w.String() + rest }

// Agents is a page of the agents of an owner; cursor 0 is the first.
func (c *Client) Agents(ctx context.Context, token secret.String, cursor uint64) (protocol.AgentList, error) {
	cl := call{operation: "agents", method: http.MethodGet, path: "/v1/agents", token: token, list: true}
	if cursor != 0 {
		cl.query = url.Values{"cursor": {strconv.FormatUint(cursor, 10)}}
	}
	return ask[protocol.AgentList](ctx, c, cl)
}

// Teardown removes an agent with its records.
func (c *Client) Teardown(ctx context.Context, token secret.String, w wallet.Wallet) error {
	return c.tell(ctx, call{operation: "teardown", method: http.MethodDelete, path: agentPath(w, ""), token: token})
}

// Revoke ends an agent's session; the agent can be recovered.
func (c *Client) Revoke(ctx context.Context, token secret.String, w wallet.Wallet) error {
	return c.tell(ctx, call{operation: "revoke", method: http.MethodDelete, path: agentPath(w, "/session"), token: token})
}

// Reopen lets a lapsed agent resume. The proof is by the owner's signing key.
func (c *Client) Reopen(ctx context.Context, token secret.String, w wallet.Wallet, r protocol.Reopen) error {
	return c.tell(ctx, call{operation: "reopen", method: http.MethodPost, path: agentPath(w, "/reopen"), token: token, body: r})
}

// Manifest is the signed manifest of w. The caller checks the signature.
func (c *Client) Manifest(ctx context.Context, token secret.String, w wallet.Wallet) (protocol.ManifestReply, error) {
	return ask[protocol.ManifestReply](ctx, c, call{
		operation: "manifest", method: http.MethodGet, path: agentPath(w, "/manifest"), token: token, list: true, // it lists a revision of each service that there ever was
	})
}

// PutManifest replaces the manifest of revision ifMatch (0: there is none yet).
func (c *Client) PutManifest(
	ctx context.Context, token secret.String, w wallet.Wallet, ifMatch uint64, m protocol.PutManifest,
) (protocol.ManifestReply, error) {
	return ask[protocol.ManifestReply](ctx, c, call{
		operation: "put_manifest", method: http.MethodPut, path: agentPath(w, "/manifest"), token: token,
		condition: [2]string{"If-Match", `"` + strconv.FormatUint(ifMatch, 10) + `"`}, body: m, list: true,
	})
}

// Record is one sealed record; the caller checks its hash against the manifest.
func (c *Client) Record(ctx context.Context, token secret.String, w wallet.Wallet, service string) (protocol.SealedRecord, error) {
	return ask[protocol.SealedRecord](ctx, c, call{
		operation: "record", method: http.MethodGet, path: agentPath(w, "/records/"+url.PathEscape(service)), token: token,
	})
}

// Audit is a page of an owner's audit trail.
func (c *Client) Audit(ctx context.Context, token secret.String, q protocol.AuditQuery) (protocol.Audit, error) {
	return ask[protocol.Audit](ctx, c, call{
		operation: "audit", method: http.MethodGet, path: "/v1/audit", query: q.Values(), token: token, list: true,
	})
}
