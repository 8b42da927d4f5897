package scope_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/scope"
)

func TestTheZeroScopeAllowsNothing(t *testing.T) {
	t.Parallel()
	var s scope.Scope
	if s.Allows("openrouter") || s.String() != "none" {
		t.Fatalf("zero scope: %s", s)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"all": "all", "none": "none", "b,a": "a, b", "a , a": "a", "openrouter": "openrouter",
	} {
		s, err := scope.Parse(text)
		if err != nil || s.String() != want {
			t.Errorf("%q: got %q, %v, want %q", text, s, err, want)
		}
	}
	for _, bad := range []string{"", " ", "a,", ",a", "A", "a b", "all,a", "none,b", "-a", "a\x00", "ä"} {
		if s, err := scope.Parse(bad); err == nil {
			t.Errorf("%q: accepted as %s", bad, s)
		}
	}
}

func TestUnmarshalRefusesWhatMightWiden(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{`null`, `"none"`, `""`, `"ALL"`, `true`, `{}`, `[null]`, `["all"]`, `["a",1]`, `[["a"]]`, `1`} {
		s := scope.None()
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s: accepted as %s", bad, s)
		}
		if !s.Equal(scope.None()) {
			t.Errorf("%s: a refused scope widened the value to %s", bad, s)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[a-d][a-d0-9-]{0,3}`), 0, 8).Draw(t, "names")
		s, err := scope.Of(names...)
		if err != nil {
			t.Skip()
		}
		if rapid.Bool().Draw(t, "all") {
			s = scope.All()
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back scope.Scope
		if err := json.Unmarshal(data, &back); err != nil || !back.Equal(s) {
			t.Fatalf("%s -> %s: %v", data, back, err)
		}
	})
}

func TestEnvName(t *testing.T) {
	t.Parallel()
	if got := scope.EnvName("brave-search"); got != "BRAVE_SEARCH_API_KEY" {
		t.Fatal(got)
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`"all"`))
	f.Add([]byte(`["a","b"]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s scope.Scope
		if json.Unmarshal(data, &s) == nil && s.IsAll() {
			var word string
			if json.Unmarshal(data, &word) != nil || word != "all" {
				t.Fatalf("%q became all", data)
			}
		}
	})
}
