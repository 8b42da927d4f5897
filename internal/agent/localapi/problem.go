package localapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// writeProblem answers an error as RFC 9457; an error that is no problem becomes unavailable.
func writeProblem(w http.ResponseWriter, err error) {
	var p *protocol.Problem
	if !errors.As(err, &p) {
		p = &protocol.Problem{Status: http.StatusServiceUnavailable, Code: protocol.CodeUnavailable, Detail: err.Error()}
	}
	reply := *p
	reply.Title = http.StatusText(p.Status)
	data, err := json.Marshal(reply)
	if err != nil {
		data = []byte(`{"status":500,"code":"unavailable"}`)
	}
	w.Header().Set("Content-Type", protocol.ProblemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(data)
}

// problems turns the mux's own plain-text answers (404, 405) into problems.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		p := &protocol.Problem{Status: http.StatusNotFound, Code: protocol.CodeNotFound, Detail: "no such path"}
		if r.Method != http.MethodGet {
			p = &protocol.Problem{Status: http.StatusMethodNotAllowed, Code: protocol.CodeBadRequest, Detail: "only GET is answered here"}
			w.Header().Set("Allow", http.MethodGet)
		}
		writeProblem(w, p)
	})
}
