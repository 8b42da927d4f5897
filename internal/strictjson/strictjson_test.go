package strictjson_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

type inner struct {
	Name string `json:"name"`
}

type doc struct {
	V     int         `json:"v"`
	Scope scope.Scope `json:"scope"`
	Items []inner     `json:"items"`
	Opt   *inner      `json:"opt,omitempty"`
}

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	var d doc
	err := strictjson.Decode([]byte(` {"v":1,"scope":["a"],"items":[{"name":"x"}],"opt":{"name":"y"}} `), &d)
	if err != nil || d.Scope.String() != "a" || d.Items[0].Name != "x" || d.Opt.Name != "y" {
		t.Fatalf("%+v, %v", d, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"repeated key":         `{"v":1,"scope":[],"scope":"all","items":[]}`,
		"case-varied key":      `{"v":1,"scope":[],"Scope":"all","items":[]}`,
		"only case-varied":     `{"v":1,"SCOPE":"all","items":[]}`,
		"escaped repeated key": `{"v":1,"scope":[],"sc\u006fpe":"all","items":[]}`,
		"missing scope":        `{"v":1,"items":[]}`,
		"null scope":           `{"v":1,"scope":null,"items":[]}`,
		"unknown key":          `{"v":1,"scope":[],"items":[],"x":1}`,
		"nested unknown":       `{"v":1,"scope":[],"items":[{"name":"x","y":1}]}`,
		"nested repeated":      `{"v":1,"scope":[],"items":[{"name":"x","name":"y"}]}`,
		"nested missing":       `{"v":1,"scope":[],"items":[{}]}`,
		"null number":          `{"v":null,"scope":[],"items":[]}`,
		"null alone":           ` null `,
		"null element":         `{"v":1,"scope":[],"items":[null]}`,
		"null text":            `{"v":1,"scope":[],"items":[{"name":null}]}`,
		"data after":           `{"v":1,"scope":[],"items":[]} {}`,
		"not UTF-8":            "{\"v\":1,\"scope\":[],\"items\":[{\"name\":\"\xff\"}]}",
		"truncated":            `{"v":1,"scope":[]`,
		"empty":                ``,
		"deep":                 `{"v":1,"scope":[],"items":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d doc
			if err := strictjson.Decode([]byte(text), &d); !errors.Is(err, strictjson.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
		})
	}
}

func TestNullIsAbsenceForListsAndPointersOnly(t *testing.T) {
	t.Parallel()
	var d doc
	if err := strictjson.Decode([]byte(`{"v":1,"scope":[],"items":null,"opt":null}`), &d); err != nil || d.Items != nil || d.Opt != nil {
		t.Fatalf("%+v, %v", d, err)
	}
}

func TestDecodeLenientIgnoresOnlyUnknownKeys(t *testing.T) {
	t.Parallel()
	var d doc
	if err := strictjson.DecodeLenient([]byte(`{"v":1,"scope":[],"items":[],"new":{"a":1}}`), &d); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`{"v":1,"scope":[],"items":[],"V":2}`, `{"v":1,"items":[]}`, `{"v":1,"scope":[],"items":[],"new":{"a":1,"a":2}}`} {
		if err := strictjson.DecodeLenient([]byte(bad), &d); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"scope":[],"items":[]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var d doc
		_ = strictjson.Decode(data, &d)
		_ = strictjson.DecodeLenient(data, &d)
	})
}
