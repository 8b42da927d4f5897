package atomicfile

import "os"

// OpenToLock is openToLock.
func OpenToLock(open func(flag int) (*os.File, error)) (*os.File, error) { return openToLock(open) }

// NoDirSync is noDirSync.
func NoDirSync(err error) bool { return noDirSync(err) }
