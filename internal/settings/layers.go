package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// raw is the texts of all layers. A later layer replaces the whole value of a key.
type raw struct {
	values   map[string]string // lists are joined with commas
	services map[string][]string
	origins  Origins // of `credentials.<service>` too
}

// document is one settings file. Pointers tell a missing key from an empty one.
type document struct {
	Broker          *string                `toml:"broker"`
	SessionStore    *string                `toml:"session_store"`
	KeychainTimeout *string                `toml:"keychain_timeout"`
	Allow           *[]string              `toml:"allow"`
	AllowRoot       *bool                  `toml:"allow_root"`
	MetricsListen   *string                `toml:"metrics_listen"`
	LogLevel        *string                `toml:"log_level"`
	LogFormat       *string                `toml:"log_format"`
	Credentials     map[string]credentials `toml:"credentials"`
}

type credentials struct {
	Allow []string `toml:"allow"`
}

func (src Source) files() []string {
	files := []string{filepath.Join(src.Dir, "daemon.toml")}
	if src.Wallet != "" {
		files = append(files, filepath.Join(src.Dir, src.Wallet+".toml"))
	}
	return files
}

// addFile adds one layer; a missing file adds none. Problems never quote the file's text.
func (r *raw) addFile(path string, read func(string) ([]byte, error)) []error {
	data, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []error{&UnreadableError{Path: path, Err: err}}
	}
	var top map[string]toml.Primitive
	meta, err := toml.Decode(string(data), &top)
	if err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return []error{problem(path, "line %d: %s", parse.Position.Line, parse.Message)}
		}
		return []error{problem(path, "%v", err)}
	}
	var problems []error
	for _, key := range meta.Keys() {
		if known(key) {
			continue
		}
		problems = append(problems, problem(path, "unknown key %s (known: %s, [credentials.<service>] allow)", key, strings.Join(Keys(), " ")))
	}
	var d document
	for key, of := range d.fields() {
		value, there := top[key]
		if there && meta.PrimitiveDecode(value, of.to) != nil {
			problems = append(problems, problem(path, "%s: %s is expected", key, of.what))
		}
	}
	r.addDocument(path, d)
	return problems
}

// field is where the value of a key goes, and what it is for people.
type field struct {
	to   any
	what string
}

// fields takes each key by itself, so that one of a wrong type hides no other problem.
func (d *document) fields() map[string]field {
	const text = "a text in quotation marks"
	return map[string]field{
		"broker": {&d.Broker, text}, "session_store": {&d.SessionStore, text}, "keychain_timeout": {&d.KeychainTimeout, text},
		"metrics_listen": {&d.MetricsListen, text}, "log_level": {&d.LogLevel, text}, "log_format": {&d.LogFormat, text},
		"allow": {&d.Allow, "a list of texts"}, "allow_root": {&d.AllowRoot, "true or false"},
		"credentials": {&d.Credentials, "a table [credentials.<service>] with a list of texts, allow,"},
	}
}

// known compares exactly. The decoder accepts a key in any case, so where a file has both
// `allow` and `Allow` it is not defined which of them counts.
func known(key toml.Key) bool {
	switch len(key) {
	case 1:
		return key[0] == "credentials" || slices.Contains(Keys(), key[0])
	case 2:
		return key[0] == "credentials"
	}
	return len(key) == 3 && key[0] == "credentials" && key[2] == "allow"
}

func (r *raw) addDocument(path string, d document) {
	for key, p := range map[string]*string{
		"broker": d.Broker, "session_store": d.SessionStore, "keychain_timeout": d.KeychainTimeout,
		"metrics_listen": d.MetricsListen, "log_level": d.LogLevel, "log_format": d.LogFormat,
	} {
		if p != nil {
			r.set(key, *p, path)
		}
	}
	if d.Allow != nil {
		r.set("allow", strings.Join(*d.Allow, ","), path)
	}
	if d.AllowRoot != nil {
		r.set("allow_root", fmt.Sprint(*d.AllowRoot), path)
	}
	for service, c := range d.Credentials {
		r.services[service] = c.Allow
		r.origins["credentials."+service] = path
	}
}

func (r *raw) set(key, value, origin string) {
	r.values[key], r.origins[key] = value, origin
}

// addEnv reads AGENTKEYS_<KEY>. An empty variable counts as not set.
func (r *raw) addEnv(getenv func(string) string) {
	for _, key := range Keys() {
		name := "AGENTKEYS_" + strings.ToUpper(key)
		if v := getenv(name); v != "" {
			r.set(key, v, name)
		}
	}
}

func (r *raw) addFlags(flags map[string]string) []error {
	var problems []error
	for key, v := range flags {
		flag := "--" + strings.ReplaceAll(key, "_", "-")
		if !slices.Contains(Keys(), key) {
			problems = append(problems, problem(flag, "unknown setting"))
			continue
		}
		r.set(key, v, flag)
	}
	return problems
}
