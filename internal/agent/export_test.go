package agent

import "time"

// ParseCache lets the tests feed the cache's parser.
func ParseCache(data []byte) error {
	_, err := parseCache(data)
	return err
}

// ErrCache is what every refused cache is.
var ErrCache = errCache

// LeaseUsed is the lease after a start at started, asked at now.
func LeaseUsed(started, now time.Time, contact, usedSeconds int64, synchronised bool) time.Duration {
	return newLease(started, contact, usedSeconds).used(now, synchronised)
}
