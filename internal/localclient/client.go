// Package localclient sends requests to a daemon over its agent.sock
// (api/local.openapi.yaml): HTTP over a unix socket. What it returns is safe to show: words
// of the known sets, declared conditions once each, and texts on one line.
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

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

const (
	maxReply = 1 << 20 // bytes; the largest is one credential in base64
	timeout  = 10 * time.Second
	readyMax = 4 << 10 // bytes of /readyz's text that are read
)

// UnreachableError says that no daemon answers on the socket. Is protocol.ErrUnreachable.
type UnreachableError struct {
	Path string
	Err  error
}

func (e *UnreachableError) Error() string {
	return "no daemon answers on " + e.Path + ": " + e.Reason()
}

// Reason is the system's error, without the path.
func (e *UnreachableError) Reason() string { return display.Clip(e.Err.Error(), maxText) }

// Is makes errors.Is(err, protocol.ErrUnreachable) true.
func (e *UnreachableError) Is(target error) bool { return target == protocol.ErrUnreachable }

// Unwrap gives the system's error.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Client sends requests to one daemon. Each call takes at most 10 s, or the context's time.
// Its errors are *protocol.Problem (the daemon's own answer, whose code decides) and
// *UnreachableError.
type Client struct {
	where    func() (path string, coming bool, err error)
	patience time.Duration // how long a call is repeated
}

// New makes a client for the agent.sock at socketPath. It does not connect yet, and it
// repeats no call.
func New(socketPath string) *Client {
	return &Client{where: func() (string, bool, error) { return socketPath, false, nil }}
}

// Credentials lists what this caller may read; empty if that is nothing, never nil.
func (c *Client) Credentials(ctx context.Context) ([]protocol.CredentialInfo, error) {
	var reply protocol.LocalCredentials
	err := c.get(ctx, "/v1/credentials", &reply, func() error { return checkCredentials(reply.Credentials) })
	if err != nil {
		return nil, err
	}
	return append([]protocol.CredentialInfo{}, reply.Credentials...), nil
}

// Credential reads the value of one service.
func (c *Client) Credential(ctx context.Context, service string) (protocol.LocalValue, error) {
	var reply protocol.LocalValue
	err := c.get(ctx, "/v1/credentials/"+url.PathEscape(service), &reply)
	reply.Service = service // the name that was asked for, not the daemon's
	return reply, err
}

// Status is the daemon's state with its conditions.
func (c *Client) Status(ctx context.Context) (protocol.Status, error) {
	var reply protocol.Status
	if err := c.get(ctx, "/v1/status", &reply); err != nil {
		return protocol.Status{}, err
	}
	return sanitizeStatus(reply), nil
}

// Ready reports whether the daemon can serve. A status other than 200 (yes) and 503 (no) is
// an *UnreachableError.
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

// get decodes an answer and runs the checks on it.
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
	var outer *url.Error // adds only path and operation
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
			DisableKeepAlives:  true, // a client sends one or two requests and ends
			DisableCompression: true,
		},
	}
}

func problem(resp *http.Response, body []byte) error {
	var p protocol.Problem
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != protocol.ProblemType || strictjson.DecodeLenient(body, &p) != nil || !sanitizeProblem(&p) {
		return fmt.Errorf("HTTP %d that is not a daemon's", resp.StatusCode)
	}
	p.Status = resp.StatusCode
	return &p
}
