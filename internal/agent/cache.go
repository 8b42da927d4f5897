package agent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// cache is the file of what the next run needs to serve callers before the broker answers,
// or without it: the owner's manifest, the sealed records and the lease. It owns that file
// and what is known of it. It reads the facts of the view, and changes them only when it is
// loaded. The link calls it and, while no link runs, the main loop; it has no lock, and no
// other goroutine may call it.
type cache struct {
	id         session.ID
	files      Files
	view       *view
	disk       *disk
	conditions Conditions
	logger     *slog.Logger
	bootID     string
	floor      func() time.Time
	setFloor   func(t time.Time)

	card card
}

func newCache(c Config, d *disk, v *view) *cache {
	return &cache{
		id: session.DaemonID(c.Wallet), files: c.Store, view: v, disk: d, conditions: c.Conditions, logger: c.Logger,
		bootID: c.BootID, floor: c.Floor, setFloor: c.SetFloor,
	}
}

// load takes up what the last run knew, for a session that was not in memory before. A cache
// of another device (the wallet was recovered) says nothing.
func (c *cache) load(s session.Session) {
	c.card = card{}
	data, err := c.files.ReadFile(c.id, words.FileCache)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var file cacheFile
	if err == nil {
		file, err = parseCache(data)
	}
	c.conditions.Set(condition.CacheCorrupt, err != nil, "")
	if err != nil {
		return
	}
	c.setFloor(time.Unix(file.Floor, 0))
	m, err := checkManifest(protocol.SignedManifest{Manifest: file.Manifest, Signature: file.Signature}, s, nil)
	if err != nil {
		return
	}
	c.card.wrote(word{revision: m.Revision}, 0) // never as of a session that ended: then it goes where it cannot be replaced
	records := map[string]held{}
	if s.Ended == nil {
		records = openCached(file.Records, m, s)
	}
	c.view.change(func(f *facts) {
		f.manifest, f.etag, f.records = m, file.ETag, records
		f.lease = newLease(time.Now(), file.LastContact, file.LeaseUsedSeconds)
	})
	c.view.noteLease()
}

// openCached keeps the records that the manifest lists in scope and that open.
func openCached(records []protocol.SealedRecord, m *signed, s session.Session) map[string]held {
	out := map[string]held{}
	for _, e := range m.Served() {
		i := slices.IndexFunc(records, func(r protocol.SealedRecord) bool { return r.Service == e.Service })
		if i < 0 {
			continue
		}
		value, err := seal.OpenRecord(records[i], e, s.DeviceKey)
		if err != nil {
			continue // fetched again from the broker
		}
		out[e.Service] = held{entry: e, record: records[i], value: value}
	}
	return out
}

// save writes what the next run needs; a disk that cannot be written is a condition, and
// callers are served from memory.
func (c *cache) save() { c.write(true) }

// close writes it where this run is over.
func (c *cache) close() { c.write(false) }

// write writes the file with time that is counted in advance (ahead), or without.
func (c *cache) write(ahead bool) {
	now := time.Now()
	c.card.tried = now
	f := c.view.now()
	file, ok := f.cached(now, ahead)
	if !ok {
		return
	}
	file.BootID = c.bootID
	if floor := c.floor(); floor.After(time.Unix(0, 0)) {
		file.Floor = floor.Unix()
	}
	data, err := json.Marshal(file)
	if err == nil {
		err = c.files.WriteFile(c.id, words.FileCache, append(data, '\n'))
	}
	if c.card.failed = err != nil; err != nil {
		c.logger.Warn("cache not written", "error", err)
		c.dropStale()
		c.disk.note(err)
		return
	}
	c.card.wrote(f.word(), max(time.Duration(file.LeaseUsedSeconds)*time.Second, startCost))
	c.disk.stale.Store(false)
	c.disk.note(nil)
	c.conditions.Set(condition.CacheCorrupt, false, "")
}

// cached is what the next run needs of the facts; false where they say nothing to keep.
func (f facts) cached(now time.Time, ahead bool) (cacheFile, bool) {
	if !f.loaded || f.manifest == nil {
		return cacheFile{}, false
	}
	used := f.lease.used(now, false)
	if ahead {
		used += f.lease.ahead(now)
	}
	if f.online || f.parked {
		used = 0
	}
	file := cacheFile{
		Version: cacheVersion, ETag: f.etag,
		Manifest: f.manifest.raw.Manifest, Signature: f.manifest.raw.Signature,
		Records: []protocol.SealedRecord{}, LastContact: f.lease.contact,
		LeaseUsedSeconds: int64(used / time.Second),
	}
	for _, e := range f.manifest.Served() {
		if h := f.records[e.Service]; h.entry == e {
			file.Records = append(file.Records, h.record)
		}
	}
	slices.SortFunc(file.Records, func(a, b protocol.SealedRecord) int { return strings.Compare(a.Service, b.Service) })
	return file, true
}
