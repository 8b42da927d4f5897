// Package strictjson decodes the documents that decide about access. In addition to what
// encoding/json checks it refuses repeated keys, keys that differ from a field only by case,
// missing fields, invalid UTF-8, null, and anything after the value. encoding/json accepts
// these, and a field would silently keep its default (docs/spec/architecture.md#scopes-in-documents).
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// ErrInvalid is wrapped by every error of this package.
var ErrInvalid = errors.New("invalid JSON document")

// maxDepth bounds the nesting of every document.
const maxDepth = 32

// maxKeys bounds the keys of one object of a document that another party sent, because each
// key is kept in memory to find repetitions.
const maxKeys = 1024

// maxItems bounds the elements of one array of such a document, because a small element
// takes many times its text in memory.
const maxItems = 4096

// rules is what differs between the decoders.
type rules struct {
	lenient  bool // unknown keys are ignored
	maxKeys  int  // 0: as many as the document holds
	maxItems int
}

// Decode reads exactly one value into v, a pointer to a struct. Every field of v
// without `omitempty` must be present; an unknown key is an error. No object may have
// more than 1,024 keys, no array more than 4,096 elements.
func Decode(data []byte, v any) error {
	return decode(data, v, rules{maxKeys: maxKeys, maxItems: maxItems})
}

// DecodeOwn is Decode for a file that this program wrote itself. The number of keys is not
// bounded, because it grows with the number of the user's agents; the caller bounds the
// size of the file.
func DecodeOwn(data []byte, v any) error { return decode(data, v, rules{}) }

// DecodeLenient is Decode for a client that reads the reply of a server, which may be newer:
// unknown keys are ignored. The number of keys is not bounded, because an owner may have
// many agents; the client bounds the size of the reply.
func DecodeLenient(data []byte, v any) error { return decode(data, v, rules{lenient: true}) }

func decode(data []byte, v any, r rules) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("%w: not UTF-8", ErrInvalid)
	}
	w := walker{rules: r, rest: data, fields: map[reflect.Type]fieldSet{}}
	if err := w.value(reflect.TypeOf(v).Elem(), 0); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

type field struct {
	name     string
	optional bool
	t        reflect.Type
}

type fieldSet []field

// lookup finds the type of a key. An empty set accepts every key.
func (fs fieldSet) lookup(key string, lenient bool) (reflect.Type, error) {
	if len(fs) == 0 {
		return nil, nil
	}
	for _, f := range fs {
		if f.name == key {
			return f.t, nil
		}
		if strings.EqualFold(f.name, key) {
			return nil, fmt.Errorf("key %.64q must be written %q", key, f.name)
		}
	}
	if lenient {
		return nil, nil
	}
	return nil, fmt.Errorf("unknown key %.64q", key)
}

func (fs fieldSet) missing(seen map[string]bool) error {
	for _, f := range fs {
		if !f.optional && !seen[f.name] {
			return fmt.Errorf("key %q is missing", f.name)
		}
	}
	return nil
}

// fieldsOf lists the JSON keys of a struct type, embedded structs included.
func fieldsOf(t reflect.Type) fieldSet {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var fs fieldSet
	for i := range t.NumField() {
		sf := t.Field(i)
		name, opts, _ := strings.Cut(sf.Tag.Get("json"), ",")
		switch {
		case sf.Anonymous && name == "":
			fs = append(fs, fieldsOf(decodedType(sf.Type))...)
		case !sf.IsExported() || name == "-":
		default:
			if name == "" {
				name = sf.Name
			}
			optional := strings.Contains(opts, "omitempty") || strings.Contains(opts, "omitzero")
			fs = append(fs, field{name: name, optional: optional, t: sf.Type})
		}
	}
	return fs
}

// decodedType is t without pointers; nil for a type that decodes itself.
func decodedType(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		if selfDecoding(t) {
			return nil
		}
		t = t.Elem()
	}
	if t != nil && selfDecoding(reflect.PointerTo(t)) {
		return nil
	}
	return t
}

// nullable reports whether null is a value of t. encoding/json accepts null for every type
// and leaves the variable as it was, which for a number, a text or a struct is the same as
// a missing field.
func nullable(t reflect.Type) bool {
	if t == nil || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return true // the type is unknown, or decides itself
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map:
		return true
	case reflect.Slice:
		return !selfDecoding(reflect.PointerTo(t)) // an empty list, but not binary data
	}
	return false
}

func selfDecoding(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		t.Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]())
}
