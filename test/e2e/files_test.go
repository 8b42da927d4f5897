package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree is every file below a directory with its content; sockets and locks by name.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil {
			err = addFile(out, dir, path, e)
		}
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil // replaced while we looked
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func addFile(out map[string]string, dir, path string, e os.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	if out[name] = info.Mode().String(); info.Mode().IsRegular() {
		data, err := os.ReadFile(path)
		out[name] += " " + string(data)
		return err
	}
	return nil
}

// settled is tree once nothing has been written for a moment. A write that a killed program had
// begun stays unfinished until the next start.
func (m *machine) settled(dir string) map[string]string {
	m.t.Helper()
	last := tree(m.t, dir)
	eventually(m.t, patience, dir+" comes to rest", func() (string, bool) {
		time.Sleep(150 * time.Millisecond)
		was := last
		last = tree(m.t, dir)
		return "", maps.Equal(was, last) && (m.runs.Load() == 0 || !unfinished(last))
	})
	return last
}

// unfinished reports whether a file is being written: its next content has a name of its own.
func unfinished(files map[string]string) bool {
	for name := range files {
		if strings.HasSuffix(name, ".tmp") {
			return true
		}
	}
	return false
}

// cached is settled once the daemon's cache holds the service, and after it nothing is written.
func (m *machine) cached(wallet, service string) map[string]string {
	m.t.Helper()
	eventually(m.t, patience, "a cache with "+service, func() (string, bool) {
		return "", strings.Contains(tree(m.t, m.slot(wallet))["cache.json"], `"service":"`+service+`"`)
	})
	return m.settled(m.slot(wallet))
}

// headFile is session.json by its fields (docs/spec/architecture.md#head-file); the order of its keys is free.
func headFile(t testing.TB, dir string) map[string]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "session.json"))
	if err != nil {
		t.Fatal(err)
	}
	var head map[string]json.RawMessage
	if err := json.Unmarshal(data, &head); err != nil {
		t.Fatal(err)
	}
	return head
}

// payload is the session in a slot of the file backend.
func payload(t testing.TB, dir string) map[string]json.RawMessage {
	t.Helper()
	var p map[string]json.RawMessage
	if err := json.Unmarshal(headFile(t, dir)["payload"], &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func text(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return s
}

// age makes a stored session look renewed two days ago, so that a renewal is due.
func age(t testing.TB, dir string) {
	t.Helper()
	head, p := headFile(t, dir), payload(t, dir)
	var created int64
	if err := json.Unmarshal(p["created_at"], &created); err != nil {
		t.Fatal(err)
	}
	old, changed := head["payload"], []byte(nil)
	from, err1 := json.Marshal(created)
	to, err2 := json.Marshal(created - 2*24*3600)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	changed = bytes.Replace(old, append([]byte(`"created_at":`), from...), append([]byte(`"created_at":`), to...), 1)
	if bytes.Equal(old, changed) {
		t.Fatalf("no created_at in %d bytes", len(old))
	}
	sum := sha256.Sum256(changed)
	path := filepath.Join(dir, "session.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, old, changed, 1)
	data = bytes.Replace(data, []byte(text(t, head["sha256"])), []byte(hex.EncodeToString(sum[:])), 1)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
