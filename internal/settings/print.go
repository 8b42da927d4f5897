package settings

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/access"
)

// Print writes each value and where it came from, one on each line (`--print-config`).
func (s Settings) Print(w io.Writer, origins Origins) {
	values := map[string]string{
		"broker": s.Broker, "session_store": string(s.SessionStore), "keychain_timeout": s.KeychainTimeout.String(),
		"allow": join(s.Allow), "allow_root": fmt.Sprint(s.AllowRoot), "metrics_listen": s.MetricsListen,
		"log_level": s.LogLevel, "log_format": s.LogFormat,
	}
	for _, key := range Keys() {
		line(w, key, values[key], origins[key])
	}
	for _, service := range slices.Sorted(maps.Keys(s.Credentials)) {
		key := "credentials." + service
		line(w, key+".allow", join(s.Credentials[service]), origins[key])
	}
}

func line(w io.Writer, key, value, origin string) {
	_, _ = fmt.Fprintf(w, "%s = %q  # %s\n", key, value, origin)
}

func join(rules []access.Rule) string {
	texts := make([]string, len(rules))
	for i, r := range rules {
		texts[i] = r.String()
	}
	return strings.Join(texts, ",")
}
