package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// ChainRow computes the hash of row after the hash of its predecessor (64 hex
// characters, or "" for the first row). The text is one field a line, quoted in
// ASCII: what counts as printable beyond it changes between versions of Go.
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
