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
	// maxPerUser is how many connections one user may hold, so that a program that leaks
	// connections does not use up the daemon's file descriptors.
	maxPerUser = 256
	// maxStrangers is how many connections all users together hold whom no rule knows. With
	// those of the users that a rule knows they are below what the unit allows (LimitNOFILE=).
	maxStrangers = 512
	// maxRefused is how many more connections get an answer at one time, of a user and of all
	// those whom no rule knows.
	maxRefused = 64
	// retryRefused is after how many seconds they may try again.
	retryRefused = 1
	// refuseWithin is how long such a connection may take to send its request.
	refuseWithin = 5 * time.Second
)

// refuse answers one request with 503 and closes the connection. It waits for the request,
// since a program that has not sent its request yet does not read the answer.
func refuse(c net.Conn) {
	defer func() { _ = c.Close() }()
	if c.SetDeadline(time.Now().Add(refuseWithin)) != nil {
		return
	}
	_, _ = http.ReadRequest(bufio.NewReader(io.LimitReader(c, maxHeader)))
	sayRefused(c)
}

// sayRefused writes the answer, which fits into the socket's buffer.
func sayRefused(c net.Conn) {
	body := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":503,"code":%q,"detail":"too many connections: one user holds %d at most, and %d those together whom no rule knows"}`,
		http.StatusText(http.StatusServiceUnavailable), protocol.CodeUnavailable, maxPerUser, maxStrangers)
	_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: "+protocol.ProblemType+
		"\r\nCache-Control: no-store\r\nConnection: close\r\nRetry-After: "+strconv.Itoa(retryRefused)+
		"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
}
