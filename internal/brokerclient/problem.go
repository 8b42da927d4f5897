package brokerclient

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

const (
	maxText       = 512 // characters of a detail that are shown
	maxOpaque     = 256 // bytes of a challenge or a MAC
	maxRetryAfter = 24 * time.Hour
)

var (
	codePattern   = regexp.MustCompile(`\A[a-z][a-z0-9_]{0,39}\z`)
	opaquePattern = regexp.MustCompile(`\A[\x21-\x7e]*\z`)
)

// parseProblem reads a reply of type application/problem+json. A reply without a code of our
// form does not come from a broker: gateways send this media type too.
func parseProblem(status int, h http.Header, body []byte, now time.Time) (*protocol.Problem, error) {
	var p protocol.Problem
	if err := strictjson.DecodeLenient(body, &p); err != nil {
		return nil, fmt.Errorf("%w: HTTP %d: %w", protocol.ErrForeign, status, err)
	}
	if !codePattern.MatchString(p.Code) || !opaque(p.Challenge) || !opaque(p.DenyMAC) {
		return nil, fmt.Errorf("%w: HTTP %d without a code", protocol.ErrForeign, status)
	}
	p.Status = status
	p.Title, p.Detail = display.Clip(p.Title, maxText), display.Clip(p.Detail, maxText)
	p.RetryAfter = retryAfter(h.Get("Retry-After"), now)
	return &p, nil
}

func opaque(text string) bool { return len(text) <= maxOpaque && opaquePattern.MatchString(text) }

// retryAfter is seconds, from either form of RFC 9110; 0 for none or nonsense.
func retryAfter(text string, now time.Time) int {
	limit := int(maxRetryAfter / time.Second)
	if n, err := strconv.Atoi(text); err == nil {
		return min(max(n, 0), limit)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return int(min(max(at.Sub(now), 0), maxRetryAfter) / time.Second)
}
