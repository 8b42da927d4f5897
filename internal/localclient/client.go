// Package localclient speaks with a daemon over its agent.sock
// (api/local.openapi.yaml): HTTP over a unix socket. What comes back is safe to show:
// words of the known sets, one condition a declared code, texts on one line.
package localclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

const (
	maxReply = 1 << 20 // bytes; the largest is one credential in base64
	timeout  = 10 * time.Second
	readyMax = 4 << 10 // bytes of the text of /readyz that are read
)

// UnreachableError says that no daemon answers on the socket. Is protocol.ErrUnreachable.
type UnreachableError struct {
	Path string
	Err  error
}

func (e *UnreachableError) Error() string {
	return "no daemon answers on " + e.Path + ": " + e.Reason()
}

// Reason is what the system said, without the path.
func (e *UnreachableError) Reason() string { return plain(e.Err.Error()) }

// Is makes errors.Is(err, protocol.ErrUnreachable) true.
func (e *UnreachableError) Is(target error) bool { return target == protocol.ErrUnreachable }

// Unwrap gives what the system said.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Client asks one daemon. Each call takes at most 10 s, or the context's time. Its
// errors are *protocol.Problem (the daemon's own answer; the code decides) and
// *UnreachableError.
type Client struct {
	where    func() (path string, coming bool, err error)
	patience time.Duration // how long a call is repeated
}

// New makes a client for the agent.sock at socketPath. Nothing is dialled yet, and no call
// is repeated.
func New(socketPath string) *Client {
	return &Client{where: func() (string, bool, error) { return socketPath, false, nil }}
}

// Credentials lists what this caller may read; empty where that is nothing, never nil.
func (c *Client) Credentials(ctx context.Context) ([]protocol.CredentialInfo, error) {
	var reply protocol.LocalCredentials
	err := c.get(ctx, "/v1/credentials", &reply, func() error { return plainCredentials(reply.Credentials) })
	if err != nil {
		return nil, err
	}
	return append([]protocol.CredentialInfo{}, reply.Credentials...), nil
}

// Credential reads the value of one service.
func (c *Client) Credential(ctx context.Context, service string) (protocol.LocalValue, error) {
	var reply protocol.LocalValue
	err := c.get(ctx, "/v1/credentials/"+url.PathEscape(service), &reply)
	reply.Service = service // as it was asked
	return reply, err
}

// Session says whose session the daemon holds; never the token.
func (c *Client) Session(ctx context.Context) (protocol.LocalSession, error) {
	var reply protocol.LocalSession
	err := c.get(ctx, "/v1/session", &reply)
	reply.StorageBackend = plainBackend(reply.StorageBackend)
	return reply, err
}

// Status is the daemon's state with its conditions.
func (c *Client) Status(ctx context.Context) (protocol.Status, error) {
	var reply protocol.Status
	if err := c.get(ctx, "/v1/status", &reply); err != nil {
		return protocol.Status{}, err
	}
	return plainStatus(reply), nil
}

// Ready reports whether the daemon can serve. An answer that is neither yes (200)
// nor no (503) is an *UnreachableError.
func (c *Client) Ready(ctx context.Context) (bool, error) {
	ready := false
	err := c.patiently(ctx, func(socket string) error {
		resp, err := send(ctx, socket, "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // read only
		_, _ = io.CopyN(io.Discard, resp.Body, readyMax)
		ready = resp.StatusCode == http.StatusOK
		if !ready && resp.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("HTTP %d from /readyz", resp.StatusCode)
		}
		return nil
	})
	return ready, err
}

// get decodes an answer, which must pass the checks.
func (c *Client) get(ctx context.Context, path string, reply any, checks ...func() error) error {
	return c.patiently(ctx, func(socket string) error {
		resp, err := send(ctx, socket, path)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // read only
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
		switch {
		case err != nil:
			return err
		case len(body) > maxReply:
			return errors.New("the answer is too large")
		case resp.StatusCode != http.StatusOK:
			return problem(resp, body)
		}
		err = strictjson.DecodeLenient(body, reply)
		for _, check := range checks {
			if err == nil {
				err = check()
			}
		}
		return err
	})
}

func send(ctx context.Context, socket, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	resp, err := client(socket).Do(req)
	if err == nil {
		return resp, nil
	}
	var outer *url.Error // says no more than path and cause
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return nil, err
}

func client(socket string) *http.Client {
	var d net.Dialer
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, "unix", socket)
			},
			DisableKeepAlives:  true, // a client asks once or twice and ends
			DisableCompression: true,
		},
	}
}

func problem(resp *http.Response, body []byte) error {
	var p protocol.Problem
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != protocol.ProblemType || strictjson.DecodeLenient(body, &p) != nil || !plainProblem(&p) {
		return fmt.Errorf("HTTP %d that is not a daemon's", resp.StatusCode)
	}
	p.Status = resp.StatusCode
	return &p
}
