package protocol

import "strings"

// MaxReportText bounds each text of a report in bytes. The name of a systemd unit, which is
// longer than a host's, fits.
const MaxReportText = 256

// IsReportText accepts ASCII without control characters. Other scripts are left out on purpose,
// because these texts are shown on a person's terminal.
func IsReportText(text string) bool {
	return len(text) <= MaxReportText && !strings.ContainsFunc(text, notInReport)
}

// ReportText is text as IsReportText accepts it: cut, and with '?' for every other character.
func ReportText(text string) string {
	text = strings.Map(func(r rune) rune {
		if notInReport(r) {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), MaxReportText)]
}

func notInReport(r rune) bool { return r < ' ' || r > '~' }
