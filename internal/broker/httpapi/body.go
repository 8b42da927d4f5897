package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

// The largest bodies, in bytes. Only bodies with records are large.
const (
	proofBody   = 4 << 10  // hashes, codes and a proof
	accountBody = 8 << 10  // age's hybrid keys
	requestBody = 32 << 10 // a pairing request of 8 KiB in base64
	reportBody  = protocol.MaxBody
	recordsBody = protocol.MaxApproveBody
)

const (
	largeAtOnce = 2                // bodies over protocol.MaxBody that are read and parsed at the same time
	largeWait   = 20 * time.Second // how long a request waits to be one of them
)

// gate decides, before the body is read, whether the request is allowed to send one.
type gate func(context.Context, broker.Credentials) (broker.Credentials, error)

func (a *API) anybody(_ context.Context, c broker.Credentials) (broker.Credentials, error) {
	return c, nil
}

func (a *API) ownersOnly(ctx context.Context, c broker.Credentials) (broker.Credentials, error) {
	return a.broker.Admit(ctx, c, broker.RoleOwner)
}

func (a *API) agentsOnly(ctx context.Context, c broker.Credentials) (broker.Credentials, error) {
	return a.broker.Admit(ctx, c, broker.RoleAgent)
}

func (a *API) boards(_ context.Context, c broker.Credentials) (broker.Credentials, error) {
	return a.broker.AdmitOpening(c)
}

// withBody reads a body of at most limit bytes if the gate allows it, and passes it to one of
// the rules.
func withBody[In, Out any](r *request, limit int64, let gate, status int, f func(broker.Credentials, In) (Out, error)) (int, any, error) {
	var in In
	if _, err := r.query(); err != nil {
		return 0, nil, err
	}
	if err := r.json(); err != nil {
		return 0, nil, err
	}
	c, err := let(r.Context(), r.credentials())
	if err != nil {
		return 0, nil, err
	}
	if r.ContentLength > limit {
		return 0, nil, tooLarge()
	}
	if limit > protocol.MaxBody && (r.ContentLength < 0 || r.ContentLength > protocol.MaxBody) {
		done, err := r.api.turn(r.Context())
		if err != nil {
			return 0, nil, err
		}
		defer done()
	}
	if err := r.decode(&in, limit); err != nil {
		return 0, nil, err
	}
	out, err := f(c, in)
	return status, out, err
}

// fromPage reports whether a browser sent the request for a web page, which may be any page
// that a person on this machine looks at. A browser names the page in every request that is
// not a GET or HEAD (Origin; `null` if the page has no name), also if the page's name was made
// to resolve to this machine. Of a GET it says whether the person typed the address
// (Sec-Fetch-Site). Fetch Standard, https://fetch.spec.whatwg.org/#origin-header.
func fromPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return len(r.Header.Values("Origin")) > 0 || site != "" && site != "none"
}

// json refuses a body of another type. A body without a type is accepted, since scripts send it.
func (r *request) json() error {
	value := r.Header.Get("Content-Type")
	if value == "" {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(value); err != nil || kind != "application/json" {
		return problem(http.StatusUnsupportedMediaType, protocol.CodeBadRequest, "the Content-Type must be application/json")
	}
	return nil
}

// turn waits until one more large body may be read; done gives the place back.
func (a *API) turn(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(largeWait)
	defer timer.Stop()
	select {
	case a.large <- struct{}{}:
		return func() { <-a.large }, nil
	case <-timer.C:
		p := problem(http.StatusServiceUnavailable, protocol.CodeUnavailable, "too many large requests at once")
		p.RetryAfter = int(largeWait / time.Second)
		return nil, p
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func tooLarge() error {
	return problem(http.StatusRequestEntityTooLarge, protocol.CodeTooLarge, "the body is too large")
}

// decode reads a body of at most limit bytes.
func (r *request) decode(v any, limit int64) error {
	var data bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= limit {
		data.Grow(int(n) + bytes.MinRead) // otherwise the buffer is copied each time that it doubles
	}
	_, err := io.Copy(&data, http.MaxBytesReader(r.w, r.Body, limit))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return tooLarge()
	}
	if err != nil {
		return bad("the body did not come whole")
	}
	if err := strictjson.Decode(data.Bytes(), v); err != nil {
		return bad("the body is not the JSON document that this path takes")
	}
	return nil
}
