package pairing_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/pairing"
)

func TestParseCodeReadsWhatFingersMake(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"K7QF-2M9X-RT4B":       "K7QF-2M9X-RT4B",
		"k7qf2m9xrt4b":         "K7QF-2M9X-RT4B",
		" k7qf 2m9x\trt4b ":    "K7QF-2M9X-RT4B",
		"K-7-Q-F-2M9XRT4B----": "K7QF-2M9X-RT4B",
		"ilIL-oO00-1111":       "1111-0000-1111",
		"000000000000":         "0000-0000-0000",
	} {
		c, err := pairing.ParseCode(typed)
		if err != nil || c.Show() != want {
			t.Errorf("%q: %v", typed, err)
		}
	}
	for _, typed := range []string{
		"", "-", "K7QF-2M9X-RT4", "K7QF-2M9X-RT4BB", "U7QF-2M9X-RT4B", "K7QF_2M9X_RT4B", "K7QF-2M9X-RT4\n", "K7QF\u20112M9X\u2011RT4B",
		"K7QF-2M9X-RT4\x00", "K7QF-2M9X-RTÄ", "Ｋ7QF2M9XRT4", "K7QF-2M9X-RT\xff\xfe", strings.Repeat("A", 1000), "\u0131\u0131\u0131\u0131\u0131\u0131",
	} {
		if c, err := pairing.ParseCode(typed); !errors.Is(err, pairing.ErrCode) {
			t.Errorf("%q: accepted as %s", typed, c.Show())
		} else if err.Error() != pairing.ErrCode.Error() {
			t.Errorf("%q: the error says more than its sentinel: %v", typed, err)
		}
	}
}

func TestNewCodeReadsBackInEverySpelling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := pairing.NewCode()
		text := c.Text().Reveal()
		if pairing.CheckLookup(c.Lookup()) != nil || c.Lookup()+c.Secret().Reveal() != text || len(text) != 12 {
			t.Fatal("the parts are not the whole")
		}
		var typed strings.Builder
		for _, r := range text {
			s := string(r)
			switch {
			case r == '1' && rapid.Bool().Draw(t, "l"):
				s = rapid.SampledFrom([]string{"i", "I", "l", "L"}).Draw(t, "one")
			case r == '0' && rapid.Bool().Draw(t, "o"):
				s = "o"
			case rapid.Bool().Draw(t, "lower"):
				s = strings.ToLower(s)
			}
			typed.WriteString(s + rapid.SampledFrom([]string{"", "", "-", " "}).Draw(t, "between"))
		}
		back, err := pairing.ParseCode(typed.String())
		if err != nil || back.Show() != c.Show() {
			t.Fatalf("%q is not %s: %v", typed.String(), c.Show(), err)
		}
	})
}

// Each of the 32 letters comes at each place: 2,000 codes miss one of the 384 pairs
// with a chance below 1e-24.
func TestNewCodeUsesTheWholeAlphabet(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2000 {
		for i, r := range pairing.NewCode().Text().Reveal() {
			seen[fmt.Sprint(i, string(r))] = true
		}
	}
	if len(seen) != 12*32 {
		t.Fatalf("%d of %d", len(seen), 12*32)
	}
}

func TestCheckLookup(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"K7Q": true, "000": true, "": false, "K7": false, "K7QF": false, "k7q": false, "I00": false, "O00": false, "U00": false, "K7\n": false, "Ä0": false,
	} {
		if err := pairing.CheckLookup(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestACodeIsNotPrinted(t *testing.T) {
	t.Parallel()
	c := pairing.NewCode()
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("code", "code", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("code", "code", c)
	holder := struct{ C pairing.Code }{c}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", c, c, c, c, c, c), fmt.Sprintf("%+v %#v", holder, &holder), log.String()} {
		if strings.Contains(s, c.Secret().Reveal()) || strings.Contains(s, fmt.Sprintf("%x", c.Secret().Reveal())) {
			t.Fatal("printed")
		}
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("K7QF-2M9X-RT4B")
	f.Add("ilo")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := pairing.ParseCode(text)
		if err != nil {
			return
		}
		again, err := pairing.ParseCode(c.Show())
		if err != nil || again.Text().Reveal() != c.Text().Reveal() || pairing.CheckLookup(c.Lookup()) != nil {
			t.Fatalf("%q is not canonical", text)
		}
	})
}
