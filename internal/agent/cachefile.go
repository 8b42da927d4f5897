package agent

import (
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

const cacheVersion = 1

// errCache says that a cache file is no cache of this version; it is written anew.
var errCache = errors.New("the cache cannot be read")

// cacheFile is `<slot>/cache.json` (docs/spec/architecture.md#offline-lease): ciphertext only. What it
// says is believed no more than the broker's word: the manifest's signature and
// the records' sums are checked at every start.
type cacheFile struct {
	Version          int                     `json:"version"`
	ETag             string                  `json:"etag"`
	Manifest         protocol.Bytes          `json:"manifest"`
	Signature        protocol.Bytes          `json:"signature"`
	Records          []protocol.SealedRecord `json:"records"`
	Floor            int64                   `json:"floor"`        // NotBefore of the broker's last verified certificate, Unix seconds
	LastContact      int64                   `json:"last_contact"` // Unix seconds; 0: never, or by a clock that was not synchronised
	LeaseUsedSeconds int64                   `json:"lease_used_seconds"`
	BootID           string                  `json:"boot_id"`
}

// parseCache reads a cache strictly; any defect is errCache.
func parseCache(data []byte) (cacheFile, error) {
	var c cacheFile
	if err := strictjson.Decode(data, &c); err != nil {
		return cacheFile{}, fmt.Errorf("%w: %w", errCache, err)
	}
	if c.Version != cacheVersion {
		return cacheFile{}, fmt.Errorf("%w: version %d", errCache, c.Version)
	}
	if len(c.Records) > protocol.MaxRecords {
		return cacheFile{}, fmt.Errorf("%w: too many records", errCache)
	}
	return c, nil
}
