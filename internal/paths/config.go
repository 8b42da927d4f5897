package paths

import (
	"path/filepath"
	"runtime"
)

const systemConfig = "/etc/agentkeys"

// ConfigDir is the directory of daemon.toml and <wallet>.toml: AGENTKEYS_CONFIG_DIR, else
// /etc/agentkeys. On macOS it is ~/.config/agentkeys, or Homebrew's etc/agentkeys if only
// that exists. The directory need not exist.
func ConfigDir(getenv func(string) string) string {
	return configDir(getenv, runtime.GOOS)
}

func configDir(getenv func(string) string, goos string) string {
	if set := getenv("AGENTKEYS_CONFIG_DIR"); set != "" {
		return filepath.Clean(set)
	}
	if goos != "darwin" {
		return systemConfig
	}
	own := filepath.Join(getenv("HOME"), ".config", "agentkeys")
	if isDir(own) {
		return own
	}
	for _, prefix := range []string{getenv("HOMEBREW_PREFIX"), "/opt/homebrew"} {
		dir := filepath.Join(prefix, "etc", "agentkeys")
		if prefix != "" && isDir(dir) {
			return dir
		}
	}
	return own
}
