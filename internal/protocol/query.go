package protocol

import (
	"net/url"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// MaxAuditPage is how many rows a page of the audit trail has at most.
const MaxAuditPage = 1000

// AuditQuery is the query of GET /v1/audit. Zero fields do not filter.
type AuditQuery struct {
	Agent   wallet.Wallet
	Service string
	Action  string
	Since   int64  // Unix seconds, inclusive
	Cursor  uint64 // rows after this number: Audit.Next of the previous page; 0 begins at the oldest row
	Limit   int    // rows; 0: 200
	FromEnd bool   // the newest rows instead of the oldest; the oldest of them first
}

// Values is the query for the URL. It holds names only, never a secret.
func (q AuditQuery) Values() url.Values {
	v := url.Values{}
	if !q.Agent.IsZero() {
		v.Set("agent", q.Agent.String())
	}
	if q.Service != "" {
		v.Set("service", q.Service)
	}
	if q.Action != "" {
		v.Set("action", q.Action)
	}
	if q.Since != 0 {
		v.Set("since", strconv.FormatInt(q.Since, 10))
	}
	if q.Cursor != 0 {
		v.Set("cursor", strconv.FormatUint(q.Cursor, 10))
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.FromEnd {
		v.Set("from", "end")
	}
	return v
}
