package keychain

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/agentkeys/agentkeys/internal/harden"
)

// errRequest: not a request that this version writes. The child's exit code tells the parent.
var errRequest = errors.New("not a keychain request")

// Child serves one request and returns the exit code: 0 when an answer was written,
// whatever it says, 1 when the request was not understood or could not be answered.
// A main calls it before anything else when its first argument is ChildCommand.
func Child(stdin io.Reader, stdout io.Writer) int {
	if err := harden.Process(); err != nil {
		return 1
	}
	req, err := readRequest(stdin)
	if err != nil {
		return 1
	}
	defer endInTime(time.Duration(req.Milliseconds) * time.Millisecond)()
	if err := json.NewEncoder(stdout).Encode(answerOf(serve(openEntryStore(os.Getenv), req))); err != nil {
		return 1
	}
	return 0
}

func readRequest(r io.Reader) (request, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err != nil {
		return request{}, err
	}
	return parseRequest(data)
}

func parseRequest(data []byte) (request, error) {
	var req request
	if len(data) > maxMessage || json.Unmarshal(data, &req) != nil || req.Account == "" || req.Milliseconds <= 0 {
		return request{}, errRequest
	}
	switch req.Operation {
	case opGet, opPut, opDelete:
		return req, nil
	}
	return request{}, errRequest
}

func serve(v entryStore, req request) ([]byte, error) {
	switch req.Operation {
	case opGet:
		return v.get(req.Account)
	case opPut:
		return nil, v.put(req.Account, string(req.Value))
	default:
		return nil, v.delete(req.Account)
	}
}

// endInTime kills the child's process group after d, in case the parent, which kills it at
// its deadline, is gone. The returned function stops that.
func endInTime(d time.Duration) func() {
	timer := time.AfterFunc(d, func() {
		killOwnGroup()
		os.Exit(1)
	})
	return func() { timer.Stop() }
}
