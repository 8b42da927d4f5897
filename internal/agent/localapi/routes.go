package localapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/words"
)

func (s *Server) agentRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/credentials", s.listCredentials)
	mux.HandleFunc("GET /v1/credentials/{service}", s.readCredential)
	mux.HandleFunc("GET /v1/session", s.guarded(func(w http.ResponseWriter) error {
		info, err := s.c.Source.Session()
		if err != nil {
			return err
		}
		return writeJSON(w, info)
	}))
	mux.HandleFunc("GET /v1/status", s.guarded(func(w http.ResponseWriter) error {
		return writeJSON(w, s.c.Source.Status())
	}))
	s.addHealth(mux)
	return problems(mux)
}

func (s *Server) healthRoutes() http.Handler {
	mux := http.NewServeMux()
	s.addHealth(mux)
	return problems(mux)
}

// addHealth adds what every local user may read: neither names nor texts.
func (s *Server) addHealth(mux *http.ServeMux) {
	mux.Handle("GET /metrics", s.c.Metrics)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.readyz)
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ok, reasons := s.c.Source.Ready()
	text := "ok\n"
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "not ready\n"
	}
	if r.URL.Query().Has("verbose") {
		for _, reason := range reasons {
			text += "- " + reason + "\n"
		}
	}
	_, _ = io.WriteString(w, text)
}

// guarded serves only callers that match a rule of any service.
func (s *Server) guarded(answer func(http.ResponseWriter) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if peer := peerOf(r); !s.c.Policy().AllowsAny(peer) {
			writeProblem(w, s.refused(peer))
			return
		}
		if err := answer(w); err != nil {
			writeProblem(w, err)
		}
	}
}

// listCredentials lists for each caller only what the rules let it read.
func (s *Server) listCredentials(w http.ResponseWriter, r *http.Request) {
	peer, policy := peerOf(r), s.c.Policy()
	if !policy.AllowsAny(peer) {
		refusal := s.refused(peer)
		s.c.Source.Accessed(s.denial(peer, "", refusal))
		writeProblem(w, refusal)
		return
	}
	all, err := s.c.Source.Credentials()
	if err != nil {
		writeProblem(w, err)
		return
	}
	reply := protocol.LocalCredentials{Credentials: []protocol.CredentialInfo{}}
	for _, c := range all {
		if policy.Allows(peer, c.Service) {
			reply.Credentials = append(reply.Credentials, c)
		}
	}
	if err := writeJSON(w, reply); err != nil {
		writeProblem(w, err)
	}
}

func (s *Server) readCredential(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	service, peer := r.PathValue("service"), peerOf(r)
	c, err := s.authorized(peer, service)
	result := resultOf(err)
	switch result {
	case "ok":
		s.c.Source.Accessed(accessOf(peer, service, result))
	case "denied":
		s.c.Source.Accessed(s.denial(peer, service, err))
	}
	if err == nil {
		err = writeCredential(w, r, c)
	}
	if err != nil {
		writeProblem(w, err)
	}
	s.c.Observe(words.AgentSocket, result, time.Since(start))
}

func (s *Server) authorized(peer access.Peer, service string) (agent.Credential, error) {
	if err := scope.CheckService(service); err != nil {
		return agent.Credential{}, &protocol.Problem{Status: http.StatusBadRequest, Code: protocol.CodeBadRequest, Detail: err.Error()}
	}
	if !s.c.Policy().Allows(peer, service) {
		return agent.Credential{}, s.refused(peer)
	}
	return s.c.Source.Credential(service)
}

// writeCredential answers JSON, or the bare value with `Accept: text/plain`.
func writeCredential(w http.ResponseWriter, r *http.Request, c agent.Credential) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Age", strconv.FormatInt(max(c.AgeSeconds, 0), 10))
	value := c.Value.Reveal()
	if strings.HasPrefix(r.Header.Get("Accept"), "text/plain") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, value)
		return nil
	}
	reply := protocol.LocalValue{CredentialInfo: c.CredentialInfo}
	if utf8.ValidString(value) {
		reply.Credential = &value
	} else {
		reply.CredentialBase64 = []byte(value)
	}
	return writeJSON(w, reply)
}

// refused gives the reason. A caller in another container may have the right user and is
// refused nevertheless; this is logged once and told to the caller.
func (s *Server) refused(peer access.Peer) *protocol.Problem {
	detail := protocol.DetailRules
	switch peer.Unseen() {
	case access.OtherPIDs:
		detail = protocol.DetailOtherPIDs
	case access.OtherUsers:
		detail = protocol.DetailOtherUsers
	}
	if peer.Unseen() != access.Seen {
		s.unseen.Do(func() { s.c.Logger.Warn("caller refused", "reason", detail, "caller", accessOf(peer, "", "").Caller) })
	}
	return &protocol.Problem{Status: http.StatusForbidden, Code: protocol.CodeDenied, Detail: detail}
}

func accessOf(peer access.Peer, service, result string) agent.Access {
	return agent.Access{
		Service: service, Interface: words.AgentSocket, Result: result,
		Caller: fmt.Sprintf("uid=%d", peer.UID), Unit: peer.Unit,
	}
}

// denial also says why, which err tells, and whether any rule knows the peer.
func (s *Server) denial(peer access.Peer, service string, err error) agent.Access {
	a := accessOf(peer, service, "denied")
	if p := new(protocol.Problem); errors.As(err, &p) {
		a.Reason = p.Reason()
	}
	a.Stranger = !s.c.Policy().AllowsAny(peer)
	return a
}

// resultOf is the value of the label result for a credential request.
func resultOf(err error) string {
	var p *protocol.Problem
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &p):
		return "error"
	case p.Status == http.StatusForbidden:
		return "denied"
	case p.Status == http.StatusNotFound:
		return "not_found"
	case p.Status == http.StatusServiceUnavailable:
		return "unavailable"
	}
	return "error"
}

func writeJSON(w http.ResponseWriter, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(data, '\n'))
	return nil
}
