package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// walker reads through a document for its keys, before anything of it is kept. It knows
// no more of JSON than where values begin and end: of what is no JSON it may take a part,
// and json.Unmarshal, which comes after it, refuses the whole.
type walker struct {
	rules
	rest   []byte
	fields map[reflect.Type]fieldSet // of the structs that were met
}

var errSyntax = errors.New("not JSON, or cut off")

// next is the first byte behind the blanks, and stays to be read; 0 at the end.
func (w *walker) next() byte {
	w.rest = bytes.TrimLeft(w.rest, " \t\r\n")
	if len(w.rest) == 0 {
		return 0
	}
	return w.rest[0]
}

// value reads one value. t is the Go type that it will be decoded into, nil if unknown.
func (w *walker) value(t reflect.Type, depth int) error {
	if depth > maxDepth {
		return errors.New("nested too deep")
	}
	switch w.next() {
	case '{':
		return w.object(decodedType(t), depth)
	case '[':
		return w.array(decodedType(t), depth)
	case '"':
		_, err := w.text()
		return err
	case 'n':
		if !nullable(t) {
			return errors.New("null where a value must be")
		}
	}
	return w.word()
}

// word reads a number, true, false or null.
func (w *walker) word() error {
	end := bytes.IndexAny(w.rest, " \t\r\n,:]}")
	if end < 0 {
		end = len(w.rest)
	}
	if end == 0 {
		return errSyntax
	}
	w.rest = w.rest[end:]
	return nil
}

// text reads a string and returns it as it is written, with its quotation marks.
func (w *walker) text() ([]byte, error) {
	for i := 1; i < len(w.rest); i++ {
		switch w.rest[i] {
		case '\\':
			i++
		case '"':
			text := w.rest[:i+1]
			w.rest = w.rest[i+1:]
			return text, nil
		}
	}
	return nil, errSyntax
}

// more reads what stands between two elements, or the closing bracket: then it is false.
func (w *walker) more(first bool, closing byte) (bool, error) {
	c := w.next()
	switch {
	case c == closing:
		w.rest = w.rest[1:]
		return false, nil
	case first:
		return true, nil
	case c == ',':
		w.rest = w.rest[1:]
		return true, nil
	}
	return false, errSyntax
}

func (w *walker) array(t reflect.Type, depth int) error {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	w.rest = w.rest[1:]
	for n := 0; ; n++ {
		if more, err := w.more(n == 0, ']'); !more || err != nil {
			return err
		}
		if w.maxItems > 0 && n == w.maxItems {
			return errors.New("too many elements")
		}
		if err := w.value(elem, depth+1); err != nil {
			return err
		}
	}
}

func (w *walker) object(t reflect.Type, depth int) error {
	fields := w.fieldsOf(t)
	seen := map[string]bool{}
	w.rest = w.rest[1:]
	for {
		if more, err := w.more(len(seen) == 0, '}'); err != nil {
			return err
		} else if !more {
			return fields.missing(seen)
		}
		key, err := w.key(seen)
		if err != nil {
			return err
		}
		elem, err := fields.lookup(key, w.lenient)
		if err != nil {
			return err
		}
		if t != nil && t.Kind() == reflect.Map {
			elem = t.Elem()
		}
		if err := w.value(elem, depth+1); err != nil {
			return err
		}
	}
}

// key reads a key that was not seen yet, and its colon.
func (w *walker) key(seen map[string]bool) (string, error) {
	if w.next() != '"' {
		return "", errSyntax
	}
	text, err := w.text()
	if err != nil {
		return "", err
	}
	key := string(text[1 : len(text)-1])
	if bytes.IndexByte(text, '\\') >= 0 {
		if err := json.Unmarshal(text, &key); err != nil {
			return "", err
		}
	}
	switch {
	case seen[key]:
		return "", fmt.Errorf("key %.64q is repeated", key)
	case w.maxKeys > 0 && len(seen) == w.maxKeys:
		return "", errors.New("too many keys")
	case w.next() != ':':
		return "", errSyntax
	}
	seen[key] = true
	w.rest = w.rest[1:]
	return key, nil
}

func (w *walker) fieldsOf(t reflect.Type) fieldSet {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	fields, known := w.fields[t]
	if !known {
		fields = fieldsOf(t)
		w.fields[t] = fields
	}
	return fields
}
