package keychain

import "os"

// pathOfExecutable is empty when the system does not say; starting it then fails
// with an error that names the child.
func pathOfExecutable() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
