package broker

import (
	"net/http"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// refuse makes the error by which a client decides. Details are constant texts or names that the
// caller sent itself; never a token, code or key.
func refuse(status int, code, detail string) *protocol.Problem {
	return &protocol.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

func badRequest(detail string) *protocol.Problem {
	return refuse(http.StatusBadRequest, protocol.CodeBadRequest, detail)
}

func notFound(detail string) *protocol.Problem {
	return refuse(http.StatusNotFound, protocol.CodeNotFound, detail)
}

func conflict(detail string) *protocol.Problem {
	return refuse(http.StatusConflict, protocol.CodeConflict, detail)
}

func denied(detail string) *protocol.Problem {
	return refuse(http.StatusForbidden, protocol.CodeDenied, detail)
}

func revoked() *protocol.Problem {
	return refuse(http.StatusUnauthorized, protocol.CodeSessionRevoked, "the owner ended this session")
}

func cloneSuspected() *protocol.Problem {
	return refuse(http.StatusConflict, protocol.CodeCloneSuspected, "two devices hold this session: recover on the right one, or revoke it")
}

func unavailable() *protocol.Problem {
	p := refuse(http.StatusServiceUnavailable, protocol.CodeUnavailable, "the broker is stopping")
	p.RetryAfter = 1
	return p
}

func slowDown(detail string, retryAfter int) *protocol.Problem {
	p := refuse(http.StatusTooManyRequests, protocol.CodeSlowDown, detail)
	p.RetryAfter = max(retryAfter, 1)
	return p
}
