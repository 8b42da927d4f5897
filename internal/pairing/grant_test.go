package pairing_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// approval is a whole, good approval; each test changes one piece of it.
type approval struct {
	key      pairing.Key
	request  []byte
	device   secret.String
	signing  secret.String // the owner's
	grant    pairing.Grant
	manifest seal.Manifest
}

func newApproval(t testing.TB) approval {
	t.Helper()
	device, owner, signing := seal.NewSeed(), seal.NewSeed(), seal.NewSeed()
	request := must(t, pairing.Request.Encode, someRequest(t, device))
	key, err := pairing.DeriveKey(pairing.NewCode(), request)
	if err != nil {
		t.Fatal(err)
	}
	g := pairing.Grant{
		V: 1, RequestSHA256: pairing.RequestHash(request), Wallet: wallet.New(), Owner: wallet.New(),
		OwnerSignKey: must(t, seal.SigningKey, signing), OwnerRecipient: must(t, seal.Recipient, owner), ManifestRevision: 2,
	}
	m := seal.Manifest{
		Owner: g.Owner, Wallet: g.Wallet, Revision: 2, Scope: scope.None(),
		DeviceKey: must(t, seal.Recipient, device), DeviceSignKey: must(t, seal.SigningKey, device),
	}
	return approval{key, request, device, signing, g, m}
}

// reply is what an honest broker brings.
func (a approval) reply(t testing.TB) protocol.Granted {
	t.Helper()
	grant := must(t, pairing.Grant.Encode, a.grant)
	sm, err := seal.Sign(a.manifest, a.signing)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Granted{Grant: grant, GrantMAC: a.key.GrantMAC(grant), Manifest: sm}
}

func TestAGoodApprovalIsBelieved(t *testing.T) {
	t.Parallel()
	a := newApproval(t)
	for name, recovering := range map[string]wallet.Wallet{"a new agent": {}, "the same agent again": a.grant.Wallet} {
		g, m, err := pairing.CheckGranted(a.key, a.request, recovering, a.reply(t))
		if err != nil || g != a.grant || m.Wallet != a.grant.Wallet {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEachSwappedPieceIsForgedAndNamed(t *testing.T) {
	t.Parallel()
	a, other := newApproval(t), newApproval(t)
	const (
		badMAC, badGrant, otherRequest = "MAC is wrong", "grant is malformed", "another request"
		otherWallet, badSigner         = "another wallet", "not signed by the owner"
		badManifest                    = "another device, wallet or owner"
	)
	swapped := func(change func(*approval)) func(*testing.T) (pairing.Key, protocol.Granted) {
		return func(t *testing.T) (pairing.Key, protocol.Granted) {
			b := a
			change(&b)
			return a.key, b.reply(t)
		}
	}
	raw := func(change func(*protocol.Granted)) func(*testing.T) (pairing.Key, protocol.Granted) {
		return func(t *testing.T) (pairing.Key, protocol.Granted) {
			r := a.reply(t)
			change(&r)
			return a.key, r
		}
	}
	resign := func(r *protocol.Granted, grant []byte) { r.Grant, r.GrantMAC = grant, a.key.GrantMAC(grant) }
	for name, c := range map[string]struct {
		make func(*testing.T) (pairing.Key, protocol.Granted)
		says string
	}{
		"no MAC":               {raw(func(r *protocol.Granted) { r.GrantMAC = nil }), badMAC},
		"MAC of the request":   {raw(func(r *protocol.Granted) { r.GrantMAC = a.key.RequestMAC() }), badMAC},
		"MAC of a denial":      {raw(func(r *protocol.Granted) { r.GrantMAC = a.key.DenyMAC() }), badMAC},
		"MAC by another code":  {raw(func(r *protocol.Granted) { r.GrantMAC = other.key.GrantMAC(r.Grant) }), badMAC},
		"MAC cut":              {raw(func(r *protocol.Granted) { r.GrantMAC = r.GrantMAC[:31] }), badMAC},
		"grant of another":     {raw(func(r *protocol.Granted) { r.Grant = other.reply(t).Grant }), badMAC},
		"a byte of the grant":  {raw(func(r *protocol.Granted) { r.Grant = append(bytes.Clone(r.Grant), ' ') }), badMAC},
		"whole other approval": {raw(func(r *protocol.Granted) { *r = other.reply(t) }), badMAC},
		"a loose grant":        {raw(func(r *protocol.Granted) { resign(r, append(bytes.Clone(r.Grant), "{}"...)) }), badGrant},
		"a grant with a key twice": {raw(func(r *protocol.Granted) {
			resign(r, bytes.Replace(r.Grant, []byte(`"v":1`), []byte(`"v":1,"v":1`), 1))
		}), badGrant},
		"a grant of version 2":            {raw(func(r *protocol.Granted) { resign(r, bytes.Replace(r.Grant, []byte(`"v":1`), []byte(`"v":2`), 1)) }), badGrant},
		"an empty grant":                  {raw(func(r *protocol.Granted) { resign(r, nil) }), badGrant},
		"request hash":                    {swapped(func(b *approval) { b.grant.RequestSHA256 = pairing.RequestHash(other.request) }), otherRequest},
		"wallet in the grant":             {swapped(func(b *approval) { b.grant.Wallet = other.grant.Wallet }), otherWallet},
		"owner's signing key":             {swapped(func(b *approval) { b.grant.OwnerSignKey = other.grant.OwnerSignKey }), badSigner},
		"manifest by another owner's key": {swapped(func(b *approval) { b.signing = other.signing }), badSigner},
		"manifest of another agent":       {raw(func(r *protocol.Granted) { r.Manifest = other.reply(t).Manifest }), badSigner},
		"a byte of the manifest":          {raw(func(r *protocol.Granted) { r.Manifest.Manifest = append(bytes.Clone(r.Manifest.Manifest), ' ') }), badSigner},
		"no manifest":                     {raw(func(r *protocol.Granted) { r.Manifest = protocol.SignedManifest{} }), badSigner},
		"owner in the manifest":           {swapped(func(b *approval) { b.manifest.Owner = other.grant.Owner }), badManifest},
		"owner in the grant":              {swapped(func(b *approval) { b.grant.Owner = other.grant.Owner }), badManifest},
		"wallet in the manifest":          {swapped(func(b *approval) { b.manifest.Wallet = other.grant.Wallet }), badManifest},
		"device key":                      {swapped(func(b *approval) { b.manifest.DeviceKey = other.manifest.DeviceKey }), badManifest},
		"device signing key":              {swapped(func(b *approval) { b.manifest.DeviceSignKey = other.manifest.DeviceSignKey }), badManifest},
		"an old manifest":                 {swapped(func(b *approval) { b.manifest.Revision = 1 }), badManifest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, reply := c.make(t)
			_, _, err := pairing.CheckGranted(key, a.request, a.grant.Wallet, reply)
			if !errors.Is(err, pairing.ErrForged) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q", err, c.says)
			}
		})
	}
}

func TestGrantsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	good := newApproval(t).grant
	for name, change := range map[string]func(*pairing.Grant){
		"no request":     func(g *pairing.Grant) { g.RequestSHA256 = "" },
		"no wallet":      func(g *pairing.Grant) { g.Wallet = wallet.Wallet{} },
		"no owner":       func(g *pairing.Grant) { g.Owner = wallet.Wallet{} },
		"no signing key": func(g *pairing.Grant) { g.OwnerSignKey = "" },
		"no recipient":   func(g *pairing.Grant) { g.OwnerRecipient = "" },
		"no revision":    func(g *pairing.Grant) { g.ManifestRevision = 0 },
	} {
		g := good
		change(&g)
		if _, err := g.Encode(); !errors.Is(err, pairing.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Four MACs of one key over four purposes, and none fits another code or request.
func TestMACsAreBoundToCodeRequestAndPurpose(t *testing.T) {
	t.Parallel()
	code, otherCode := pairing.NewCode(), pairing.NewCode()
	seen := map[string]string{}
	for _, c := range []struct {
		name    string
		code    pairing.Code
		request string
	}{{"this", code, "r"}, {"another request", code, "s"}, {"another code", otherCode, "r"}} {
		k, err := pairing.DeriveKey(c.code, []byte(c.request))
		if err != nil {
			t.Fatal(err)
		}
		for purpose, mac := range map[string][]byte{
			"request": k.RequestMAC(), "deny": k.DenyMAC(), "grant": k.GrantMAC([]byte("g")), "no grant": k.GrantMAC(nil),
		} {
			if before, found := seen[string(mac)]; found || len(mac) != 32 {
				t.Errorf("%s of %s equals %s", purpose, c.name, before)
			}
			seen[string(mac)] = purpose + " of " + c.name
		}
		if err := pairing.CheckRequest(k, k.RequestMAC()); err != nil {
			t.Error(err)
		}
		if err := pairing.CheckRequest(k, k.DenyMAC()); !errors.Is(err, pairing.ErrForged) {
			t.Error(err)
		}
		if s := fmt.Sprintf("%v %+v %#v %x %s", k, k, k, k, k); strings.ReplaceAll(s, "[secret]", "") != "    " {
			t.Errorf("the key is printed: %s", s)
		}
	}
}

// Where two codes share the lookup, only the secret part decides.
func TestTheLookupAloneIsWorthNothing(t *testing.T) {
	t.Parallel()
	a, errA := pairing.ParseCode("K7QF-2M9X-RT4B")
	b, errB := pairing.ParseCode("K7QF-2M9X-RT4C")
	if errA != nil || errB != nil || a.Lookup() != b.Lookup() {
		t.Fatal(errA, errB)
	}
	ka, errA := pairing.DeriveKey(a, []byte("r"))
	kb, errB := pairing.DeriveKey(b, []byte("r"))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if err := pairing.CheckRequest(kb, ka.RequestMAC()); !errors.Is(err, pairing.ErrForged) {
		t.Fatal(err)
	}
}

func FuzzGrant(f *testing.F) {
	a := newApproval(f)
	r := a.reply(f)
	f.Add([]byte(r.Grant))
	f.Fuzz(func(t *testing.T, grant []byte) {
		// The MAC is made to fit, so that the parser is reached.
		reply := protocol.Granted{Grant: grant, GrantMAC: a.key.GrantMAC(grant), Manifest: r.Manifest}
		g, m, err := pairing.CheckGranted(a.key, a.request, wallet.Wallet{}, reply)
		if err != nil {
			if !errors.Is(err, pairing.ErrForged) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if g.Wallet != m.Wallet || g.Owner != m.Owner || g.RequestSHA256 != pairing.RequestHash(a.request) {
			t.Fatal("believed")
		}
	})
}

// One guess at a pair code.
func BenchmarkDeriveKey(b *testing.B) {
	code := pairing.NewCode()
	for b.Loop() {
		if _, err := pairing.DeriveKey(code, []byte("request")); err != nil {
			b.Fatal(err)
		}
	}
}
