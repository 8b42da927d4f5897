package brokerclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

const typeJSON = "application/json"

// Codes of Observe that are no protocol.Code.
const (
	codeOK          = "ok"
	codePending     = "pending"
	codeNotModified = "not_modified"
	codeCanceled    = "canceled"
)

var (
	errTooLarge = errors.New("the answer is too large")
	errGateway  = errors.New("a proxy answers that it misses the broker")
)

// call is one request. Only token and body hold secrets.
type call struct {
	operation string
	method    string
	path      string // escaped, begins with /v1
	query     url.Values
	token     secret.String // zero: no Authorization header
	condition [2]string     // a header: If-Match or If-None-Match, and its value
	body      any           // nil: none
	wait      time.Duration // of a long poll
	list      bool          // the reply may be large; only owners send such requests
}

// limit is how many bytes of a reply are read. A hostile broker must not be able to fill the
// memory of a board.
func (cl call) limit(status int) int64 {
	switch {
	case status >= http.StatusBadRequest:
		return maxProblem
	case cl.list:
		return maxListReply
	}
	return maxReply
}

// answer is an answer of the broker that is no problem document.
type answer struct {
	status int
	header http.Header
	body   []byte
	sent   int64 // bytes of the request's body
}

// into decodes the body of an answer.
func (a answer) into(reply any) error {
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		return unreachable(fmt.Errorf("%w: HTTP %d", protocol.ErrForeign, a.status))
	}
	if err := strictjson.DecodeLenient(a.body, reply); err != nil {
		return unreachable(fmt.Errorf("%w: %w", protocol.ErrForeign, err))
	}
	return nil
}

// ask sends a request and decodes the reply.
func ask[T any](ctx context.Context, c *Client, cl call) (T, error) {
	var reply, none T
	a, err := c.send(ctx, cl)
	if err != nil {
		return none, err
	}
	if err := a.into(&reply); err != nil {
		return none, err
	}
	return reply, nil
}

// tell sends a request whose successful reply has no content of interest.
func (c *Client) tell(ctx context.Context, cl call) error {
	a, err := c.send(ctx, cl)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusNoContent, http.StatusOK, http.StatusCreated:
		return nil
	}
	return unreachable(fmt.Errorf("%w: HTTP %d", protocol.ErrForeign, a.status))
}

// send sends one request and reports it to Observe.
func (c *Client) send(ctx context.Context, cl call) (answer, error) {
	start := time.Now()
	a, err := c.attempt(ctx, cl)
	if c.cfg.Observe != nil {
		c.cfg.Observe(cl.operation, codeOf(ctx, a, err), time.Since(start))
	}
	return a, err
}

func (c *Client) attempt(ctx context.Context, cl call) (answer, error) {
	limit := c.cfg.Timeout
	if cl.wait > 0 {
		limit = cl.wait + waitMargin
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := c.request(ctx, cl)
	if err != nil {
		return answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, unreachable(cause(err))
	}
	defer func() { _ = resp.Body.Close() }() // read only
	arrived := c.cfg.Now()
	most := cl.limit(resp.StatusCode)
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = errTooLarge
	}
	if err != nil {
		return answer{}, unreachable(err)
	}
	a, err := c.classify(answer{resp.StatusCode, resp.Header, body, resp.Request.ContentLength})
	if !errors.Is(err, protocol.ErrUnreachable) {
		c.observeDate(resp.Header, arrived)
		c.observeEpoch(resp.Header.Get(protocol.EpochHeader))
	}
	return a, err
}

func (c *Client) request(ctx context.Context, cl call) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if cl.body != nil {
		data, err := json.Marshal(cl.body)
		if err != nil {
			return nil, fmt.Errorf("%s: encode the request: %w", cl.operation, err)
		}
		body = bytes.NewReader(data)
	}
	address := c.at.base + cl.path
	if q := cl.queryText(); q != "" {
		address += "?" + q
	}
	req, err := http.NewRequestWithContext(ctx, cl.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cl.operation, cause(err))
	}
	c.setHeader(req.Header, cl)
	return req, nil
}

func (cl call) queryText() string {
	if cl.wait <= 0 {
		return cl.query.Encode()
	}
	q := url.Values{"wait": {strconv.Itoa(int(cl.wait.Seconds()))}}
	for key, values := range cl.query {
		q[key] = values
	}
	return q.Encode()
}

func (c *Client) setHeader(h http.Header, cl call) {
	h.Set("Accept", typeJSON)
	h.Set("User-Agent", "agentkeys/"+c.cfg.Version)
	if cl.body != nil {
		h.Set("Content-Type", typeJSON)
	}
	if cl.condition[0] != "" {
		h.Set(cl.condition[0], cl.condition[1])
	}
	if epoch := c.epoch.Load(); epoch != nil {
		h.Set(protocol.EpochHeader, *epoch)
	}
	if !cl.token.IsZero() {
		h.Set("Authorization", "Bearer "+cl.token.Reveal())
	}
	// net/http repeats a request with this header on a connection that closed while idle,
	// which is safe because every request is idempotent by content
	// (docs/spec/architecture.md#the-brokers-interface). A header without values is not sent.
	h["Idempotency-Key"] = nil
}

// classify tells a broker's answer from the answer of another HTTP server. The callers that
// expect 202 and 304 look at the status themselves.
func (c *Client) classify(a answer) (answer, error) {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case a.status >= 400 && kind == protocol.ProblemType:
		p, err := parseProblem(a.status, a.header, a.body, c.cfg.Now())
		if err != nil {
			return answer{}, unreachable(err)
		}
		return answer{}, p
	case a.status == http.StatusNoContent, a.status == http.StatusNotModified:
		return a, nil
	case a.status >= 200 && a.status < 300 && kind == typeJSON:
		return a, nil
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		return answer{}, unreachable(fmt.Errorf("%w: HTTP %d", errGateway, a.status))
	case a.status == http.StatusRequestEntityTooLarge:
		return answer{}, unreachable(fmt.Errorf("%w: HTTP 413: a proxy on the way takes no request of %d bytes, and the broker takes up to %d (nginx: client_max_body_size 9m)",
			protocol.ErrForeign, a.sent, protocol.MaxApproveBody))
	}
	return answer{}, unreachable(fmt.Errorf("%w: HTTP %d", protocol.ErrForeign, a.status))
}

func (c *Client) observeDate(h http.Header, arrived time.Time) {
	date, err := http.ParseTime(h.Get("Date"))
	if err == nil && c.cfg.ObserveDate != nil {
		c.cfg.ObserveDate(date.Sub(arrived))
	}
}

func (c *Client) observeEpoch(epoch string) {
	if epoch != "" && opaque(epoch) {
		c.seen.Store(&epoch)
	}
}

// cause removes the outer error of net/http, which repeats the URL.
func cause(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// unreachable wraps err in ErrUnreachable. Like a problem it does not name the operation;
// the caller adds what it wanted to do.
func unreachable(err error) error {
	return fmt.Errorf("%w: %w", protocol.ErrUnreachable, err)
}

// codeOf is the value of the label code for an outcome.
func codeOf(ctx context.Context, a answer, err error) string {
	var p *protocol.Problem
	switch {
	case errors.As(err, &p):
		return p.Code
	case errors.Is(err, protocol.ErrCertificate):
		return protocol.CodeCertificate
	case err != nil && ctx.Err() != nil:
		return codeCanceled
	case err != nil:
		return protocol.CodeUnreachable
	case a.status == http.StatusAccepted:
		return codePending
	case a.status == http.StatusNotModified:
		return codeNotModified
	}
	return codeOK
}
