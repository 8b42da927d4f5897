package localapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

const (
	// maxPerUser is how many connections one user may hold: a program that leaks them
	// cannot take the daemon's file descriptors from the others.
	maxPerUser = 256
	// maxRefused is how many more of that user are told why at one time.
	maxRefused = 64
	// retryRefused is when they may ask again, in seconds.
	retryRefused = 1
	// refuseWithin bounds how long one of them may take to send its request.
	refuseWithin = 5 * time.Second
)

// refuse answers one request with 503 and closes. A program that has not sent its request
// yet would not read an answer, so it is waited for.
func refuse(c net.Conn) {
	defer func() { _ = c.Close() }()
	if c.SetDeadline(time.Now().Add(refuseWithin)) != nil {
		return
	}
	_, _ = http.ReadRequest(bufio.NewReader(io.LimitReader(c, maxHeader)))
	sayRefused(c)
}

// sayRefused writes the answer; a socket takes it at once.
func sayRefused(c net.Conn) {
	body := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":503,"code":%q,"detail":"this user holds %d connections already: close those that are not used"}`,
		http.StatusText(http.StatusServiceUnavailable), protocol.CodeUnavailable, maxPerUser)
	_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: "+protocol.ProblemType+
		"\r\nCache-Control: no-store\r\nConnection: close\r\nRetry-After: "+strconv.Itoa(retryRefused)+
		"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
}
