package keychain

import "os"

// pathOfExecutable is empty when the system does not tell it. Starting the child then fails.
func pathOfExecutable() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
