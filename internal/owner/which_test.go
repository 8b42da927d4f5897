package owner_test

import (
	"errors"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestWhichKeyIsMeant(t *testing.T) {
	t.Parallel()
	a, b := wallet.New(), wallet.New()
	broker := owner.Choice{}
	for name, c := range map[string]struct {
		named owner.Named
		there owner.Present
		want  owner.Choice
		fails error
	}{
		"a wallet is that daemon":                {owner.Named{Daemon: a.EIP55()}, owner.Present{Master: true, Daemons: []wallet.Wallet{b}}, owner.Choice{Daemon: a}, nil},
		"a wallet with a mistyped letter":        {owner.Named{Daemon: "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}, owner.Present{}, broker, wallet.ErrChecksum},
		"an agent is the owner":                  {owner.Named{Agent: "bot"}, owner.Present{Daemons: []wallet.Wallet{a}}, broker, nil},
		"both":                                   {owner.Named{Daemon: a.String(), Agent: "bot"}, owner.Present{}, broker, owner.BothError{}},
		"neither, with a master session":         {owner.Named{}, owner.Present{Master: true, Daemons: []wallet.Wallet{a}}, broker, nil},
		"neither, with one daemon":               {owner.Named{}, owner.Present{Daemons: []wallet.Wallet{a}}, owner.Choice{Daemon: a}, nil},
		"neither, with nothing":                  {owner.Named{}, owner.Present{}, broker, owner.ErrNoAccount},
		"a session id goes through the broker":   {owner.Named{AsSession: true}, owner.Present{Daemons: []wallet.Wallet{a, b}}, broker, nil},
		"a session id and an agent":              {owner.Named{AsSession: true, Agent: "bot"}, owner.Present{}, broker, nil},
		"a session id and a wallet are too much": {owner.Named{AsSession: true, Daemon: a.String()}, owner.Present{}, broker, owner.BothError{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := owner.Which(c.named, c.there)
			if got != c.want && c.fails == nil || !errors.Is(err, c.fails) {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
	_, err := owner.Which(owner.Named{}, owner.Present{Daemons: []wallet.Wallet{a, b}})
	var many owner.ManyError
	if !errors.As(err, &many) || len(many.Wallets) != 2 {
		t.Fatal(err)
	}
}
