package protocol_test

import (
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestReportText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "pi.local": "pi.local", "a b~": "a b~", "a\nb\x1b": "a?b?", "Zürich": "Z?rich", "a\xffb": "a?b",
		strings.Repeat("x", 300): strings.Repeat("x", protocol.MaxReportText), strings.Repeat("ü", 200): strings.Repeat("?", 200),
	} {
		got := protocol.ReportText(text)
		if got != want || !protocol.IsReportText(got) {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
		if protocol.IsReportText(text) != (got == text) {
			t.Errorf("%q: accepted = %t", text, protocol.IsReportText(text))
		}
	}
}
