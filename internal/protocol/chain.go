package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// ChainRow computes the hash of row from the hash of the row before it (64 hex characters,
// "" for the first row). The hashed text has one field on each line, quoted in ASCII, because
// which characters beyond ASCII count as printable changes between versions of Go.
func ChainRow(previous string, row AuditRow) string {
	var agent string
	if !row.Agent.IsZero() {
		agent = row.Agent.String()
	}
	fields := []string{
		strconv.FormatUint(row.Number, 10), strconv.FormatInt(row.Time, 10), agent,
		row.Service, row.Action, row.Result, row.Where, row.Detail,
	}
	var b strings.Builder
	b.WriteString("agentkeys audit v1\n" + previous + "\n")
	for _, f := range fields {
		b.WriteString(strconv.QuoteToASCII(f) + "\n")
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}
