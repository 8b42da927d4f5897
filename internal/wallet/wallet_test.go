package wallet_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Vectors of EIP-55.
var eip55 = []string{
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
	"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
	"0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
}

func TestEIP55VectorsAreAcceptedAndShown(t *testing.T) {
	t.Parallel()
	for _, v := range eip55 {
		w, err := wallet.Parse(v)
		if err != nil {
			t.Fatal(err)
		}
		if w.EIP55() != v || w.String() != strings.ToLower(v) {
			t.Errorf("%s: display %s, canonical %s", v, w.EIP55(), w)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := strings.ToLower(eip55[0])
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":          {"", wallet.ErrFormat},
		"no prefix":      {good[2:], wallet.ErrFormat},
		"short":          {good[:41], wallet.ErrFormat},
		"long":           {good + "0", wallet.ErrFormat},
		"not hex":        {"0x" + strings.Repeat("g", 40), wallet.ErrFormat},
		"trailing blank": {good + " ", wallet.ErrFormat},
		"wrong checksum": {"0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", wallet.ErrChecksum},
		"huge":           {"0x" + strings.Repeat("a", 1<<16), wallet.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wallet.Parse(c.text)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if len(err.Error()) > 300 {
				t.Fatalf("the error repeats %d bytes of input", len(err.Error()))
			}
		})
	}
}

func TestEveryFormIsTheSameWallet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[0-9a-f]{40}`).Draw(t, "digits")
		lower, err := wallet.Parse("0x" + digits)
		if err != nil {
			t.Fatal(err)
		}
		upper, err := wallet.Parse("0x" + strings.ToUpper(digits))
		if err != nil || upper != lower {
			t.Fatalf("upper case is another wallet: %v %v", upper, err)
		}
		mixed, err := wallet.Parse(lower.EIP55())
		if err != nil || mixed != lower {
			t.Fatalf("EIP-55 is another wallet: %v %v", mixed, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, v := range eip55 {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := wallet.Parse(text)
		if err != nil {
			return
		}
		again, err := wallet.Parse(w.String())
		if err != nil || again != w || !strings.EqualFold(w.String(), text) {
			t.Fatalf("%q -> %s -> %v, %v", text, w, again, err)
		}
	})
}
