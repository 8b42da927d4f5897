package strictjson_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/strictjson"
)

func TestOnlyAStrangersDocumentIsBoundedInKeys(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1023, 1024, 1025, 20_000} {
		text := objectOf(n)
		var v struct {
			Of map[string]int `json:"of"`
		}
		if err := strictjson.DecodeOwn(text, &v); err != nil || len(v.Of) != n {
			t.Errorf("a file of one's own with %d keys: %d, %v", n, len(v.Of), err)
		}
		if err := strictjson.DecodeLenient(text, &v); err != nil {
			t.Errorf("a reply with %d keys: %v", n, err)
		}
		if err := strictjson.Decode(text, &v); (err == nil) != (n <= 1024) {
			t.Errorf("a stranger's document with %d keys: %v", n, err)
		}
		twice := []byte(strings.Replace(string(text), `"k1"`, `"k0"`, 1))
		if strictjson.DecodeOwn(twice, &v) == nil || strictjson.DecodeLenient(twice, &v) == nil {
			t.Errorf("%d keys, one of them repeated, were taken", n)
		}
	}
}

func objectOf(keys int) []byte {
	var b strings.Builder
	for i := range keys {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return []byte(`{"of":{` + b.String()[1:] + "}}")
}
