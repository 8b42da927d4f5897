package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// request reads one request strictly.
type request struct {
	*http.Request
	w   http.ResponseWriter
	api *API
}

func bad(detail string) error {
	return problem(http.StatusBadRequest, protocol.CodeBadRequest, detail)
}

// credentials hash the bearer token. A malformed token is hashed too, and is then unknown.
func (r *request) credentials() broker.Credentials {
	c := broker.Credentials{Address: r.api.address(r.Request), Epoch: r.Header.Get(protocol.EpochHeader), Known: known(r.Context())}
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return c
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if ok && strings.EqualFold(scheme, "Bearer") && session.CheckToken(token) == nil {
		c.TokenSHA256 = session.TokenHash(secret.New(token))
	}
	return c
}

// address is the address of the client: of the peer, or, behind trusted proxies, the last
// address in X-Forwarded-For that is not one of the proxies.
func (a *API) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "local" // a unix socket
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && a.trusts(host); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		host = next.Unmap().WithZone("").String()
	}
	return host
}

func (a *API) trusts(host string) bool { return within(a.trusted, host) }

// within reports whether host is an address in one of the prefixes.
func within(prefixes []netip.Prefix, host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr.Unmap().WithZone("")) })
}

// query refuses repeated, malformed and unknown parameters.
func (r *request) query(known ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, bad("the query is malformed")
	}
	allowed := map[string]bool{}
	for _, k := range known {
		allowed[k] = true
	}
	for k, v := range q {
		if !allowed[k] || len(v) != 1 {
			return nil, bad("a query parameter is unknown or repeated")
		}
	}
	return q, nil
}

// wait is the parameter of a long poll, at most 50 seconds.
func (r *request) wait() (time.Duration, error) {
	q, err := r.query("wait")
	if err != nil || !q.Has("wait") {
		return 0, err
	}
	n, err := strconv.Atoi(q.Get("wait"))
	if err != nil || n < 0 || n > protocol.MaxWait {
		return 0, bad("wait is 0 to 50 seconds")
	}
	return time.Duration(n) * time.Second, nil
}

// wallet is the wallet in the path, in lower case or EIP-55 form.
func (r *request) wallet() (wallet.Wallet, error) {
	w, err := wallet.Parse(r.PathValue("wallet"))
	if err != nil {
		return w, bad("not a wallet")
	}
	return w, nil
}

var etagPattern = regexp.MustCompile(`\A"(0|[1-9][0-9]{0,15})"\z`)

// ifMatch is the revision that a PUT replaces.
func (r *request) ifMatch() (uint64, error) {
	values := r.Header.Values("If-Match")
	if len(values) != 1 {
		return 0, bad("If-Match must name the revision that is replaced")
	}
	m := etagPattern.FindStringSubmatch(values[0])
	if m == nil {
		return 0, bad(`If-Match is a revision in quotes: "7"`)
	}
	return strconv.ParseUint(m[1], 10, 64)
}

// cursor is where the next page of a list begins; 0: at the beginning of the list.
func (r *request) cursor() (uint64, error) {
	q, err := r.query("cursor")
	if err != nil || !q.Has("cursor") {
		return 0, err
	}
	n, err := strconv.ParseUint(q.Get("cursor"), 10, 63)
	if err != nil {
		return 0, bad("cursor is not a number")
	}
	return n, nil
}

func (r *request) auditQuery() (protocol.AuditQuery, error) {
	var out protocol.AuditQuery
	q, err := r.query("agent", "service", "action", "since", "cursor", "limit", "from")
	if err != nil {
		return out, err
	}
	out.Service, out.Action = q.Get("service"), q.Get("action")
	if q.Has("agent") {
		if out.Agent, err = wallet.Parse(q.Get("agent")); err != nil {
			return out, bad("agent is not a wallet")
		}
	}
	if q.Has("since") {
		if out.Since, err = strconv.ParseInt(q.Get("since"), 10, 64); err != nil || out.Since < 0 {
			return out, bad("since is not a time")
		}
	}
	if q.Has("cursor") {
		if out.Cursor, err = strconv.ParseUint(q.Get("cursor"), 10, 63); err != nil {
			return out, bad("cursor is not a number")
		}
	}
	if q.Has("limit") {
		if out.Limit, err = strconv.Atoi(q.Get("limit")); err != nil || out.Limit < 1 || out.Limit > protocol.MaxAuditPage {
			return out, bad("limit is 1 to 1000 rows")
		}
	}
	if out.FromEnd = q.Has("from"); out.FromEnd && q.Get("from") != "end" {
		return out, bad("from is end")
	}
	return out, nil
}
