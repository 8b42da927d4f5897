package agent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// loadCache takes up what the last run knew, so that callers are served before the
// broker answers, or without it. A cache of another device (the wallet was
// recovered) says nothing.
func (d *Daemon) loadCache(s session.Session) {
	data, err := d.c.Store.ReadFile(d.id, words.FileCache)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var c cacheFile
	if err == nil {
		c, err = parseCache(data)
	}
	d.c.Conditions.Set(condition.CacheCorrupt, err != nil, "")
	if err != nil {
		return
	}
	d.c.SetFloor(time.Unix(c.Floor, 0))
	m, err := checkManifest(protocol.SignedManifest{Manifest: c.Manifest, Signature: c.Signature}, s, nil)
	if err != nil {
		return
	}
	d.card.wrote(word{revision: m.Revision}, 0) // never as of a session that ended: then it goes where it cannot be replaced
	records := map[string]held{}
	if s.Ended == nil {
		records = openCached(c.Records, m, s)
	}
	d.setView(func(v *view) {
		v.manifest, v.etag, v.records = m, c.ETag, records
		v.lease = newLease(time.Now(), c.LastContact, c.LeaseUsedSeconds)
	})
	d.noteLease()
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

// saveCache writes what the next run needs; a card that cannot be written is a
// condition, and memory goes on serving.
func (d *Daemon) saveCache() { d.writeCache(true) }

// writeCache writes it with time that is counted in advance, or without where this run is over.
func (d *Daemon) writeCache(ahead bool) {
	d.card.tried = time.Now()
	c, ok := d.cacheNow(d.card.tried, ahead)
	if !ok {
		return
	}
	data, err := json.Marshal(c)
	if err == nil {
		err = d.c.Store.WriteFile(d.id, words.FileCache, append(data, '\n'))
	}
	if d.card.failed = err != nil; err != nil {
		d.c.Logger.Warn("cache not written", "error", err)
		d.dropStale()
		d.noteDisk(err)
		return
	}
	d.card.wrote(d.wordNow(), max(time.Duration(c.LeaseUsedSeconds)*time.Second, startCost))
	d.left.Store(false)
	d.noteDisk(nil)
	d.c.Conditions.Set(condition.CacheCorrupt, false, "")
}

func (d *Daemon) cacheNow(now time.Time, ahead bool) (cacheFile, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	v := &d.v
	if !v.loaded || v.manifest == nil {
		return cacheFile{}, false
	}
	used := v.lease.used(now, false)
	if ahead {
		used += v.lease.ahead(now)
	}
	c := cacheFile{
		Version: cacheVersion, ETag: v.etag, BootID: d.c.BootID,
		Manifest: v.manifest.raw.Manifest, Signature: v.manifest.raw.Signature,
		Records: []protocol.SealedRecord{}, LastContact: v.lease.contact,
		LeaseUsedSeconds: int64(used / time.Second),
	}
	if v.online || v.parked {
		c.LeaseUsedSeconds = 0
	}
	if floor := d.c.Floor(); floor.After(time.Unix(0, 0)) {
		c.Floor = floor.Unix()
	}
	for _, e := range v.manifest.Served() {
		if h := v.records[e.Service]; h.entry == e {
			c.Records = append(c.Records, h.record)
		}
	}
	slices.SortFunc(c.Records, func(a, b protocol.SealedRecord) int { return strings.Compare(a.Service, b.Service) })
	return c, true
}
