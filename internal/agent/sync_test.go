package agent_test

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Each lie of a broker about the manifest is named, and what was true stays.
func TestALyingBrokerIsRefused(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(t *testing.T, w *world) protocol.SignedManifest{
		"an older manifest": func(_ *testing.T, w *world) protocol.SignedManifest {
			old := w.broker.manifest
			w.owner.publish(w.broker)
			time.Sleep(time.Second)
			return old
		},
		"another key signed it": func(t *testing.T, w *world) protocol.SignedManifest {
			m := w.owner.manifest
			m.Revision, m.Scope = m.Revision+1, scope.All()
			return must(seal.Sign(m, seal.NewSeed()))(t)
		},
		"a scope wider than signed": func(t *testing.T, w *world) protocol.SignedManifest {
			m := w.owner.manifest
			m.Revision, m.Scope = m.Revision+1, scope.All()
			forged := must(seal.Sign(m, seal.NewSeed()))(t)
			forged.Signature = w.broker.manifest.Signature
			return forged
		},
		"another wallet's manifest": func(t *testing.T, w *world) protocol.SignedManifest {
			m := w.owner.manifest
			m.Revision, m.Wallet = m.Revision+1, wallet.New()
			return must(seal.Sign(m, w.owner.sign))(t)
		},
		"another owner's name": func(t *testing.T, w *world) protocol.SignedManifest {
			m := w.owner.manifest
			m.Revision, m.Owner = m.Revision+1, wallet.New()
			return must(seal.Sign(m, w.owner.sign))(t)
		},
		"another device's manifest": func(t *testing.T, w *world) protocol.SignedManifest {
			m := w.owner.manifest
			m.Revision, m.DeviceKey = m.Revision+1, must(seal.Recipient(seal.NewSeed()))(t)
			return must(seal.Sign(m, w.owner.sign))(t)
		},
		"other bytes of the same revision": func(t *testing.T, w *world) protocol.SignedManifest {
			m := w.owner.manifest
			m.Alias = "other"
			return must(seal.Sign(m, w.owner.sign))(t)
		},
		"nothing at all": func(*testing.T, *world) protocol.SignedManifest {
			return protocol.SignedManifest{Manifest: []byte("{}"), Signature: make([]byte, 64)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				d := w.start()
				raw := lie(t, w)
				w.broker.set(func(b *fakeBroker) { b.manifest, b.revision = raw, b.revision+1 })
				time.Sleep(2 * time.Second)
				expect(t, "condition", d.conditions.Has(condition.ManifestRefused), true)
				expect(t, "what was signed", d.value("openrouter"), "sk-1")
				expect(t, "nothing more", d.value("brave-search"), protocol.CodeDenied)
				w.broker.get(func(b *fakeBroker) { b.calls["sync"] = 0 })
				time.Sleep(10 * time.Minute)
				w.broker.get(func(b *fakeBroker) { expect(t, "asks in peace", b.calls["sync"] < 40, true) })
				w.owner.manifest.Revision += 5
				w.owner.publish(w.broker)
				time.Sleep(2 * time.Second)
				expect(t, "condition after the truth", d.conditions.Has(condition.ManifestRefused), false)
			})
		})
	}
}

func TestRecordsThatDoNotCome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(w *world, b *fakeBroker){
		"withheld": func(_ *world, b *fakeBroker) { delete(b.records, "anthropic") },
		"an older one": func(w *world, b *fakeBroker) {
			r := b.records["anthropic"]
			r.Data = b.records["openrouter"].Data
			b.records["anthropic"] = r
		},
		"of another device": func(w *world, b *fakeBroker) {
			r := b.records["anthropic"]
			r.Data = append([]byte{}, r.Data[:len(r.Data)-1]...)
			b.records["anthropic"] = r
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				d := w.start()
				w.owner.scope("openrouter", "anthropic")
				w.owner.store("anthropic", "ant")
				raw := w.owner.signed()
				w.broker.set(func(b *fakeBroker) {
					b.manifest, b.revision = raw, w.owner.manifest.Revision
					b.records["anthropic"] = w.owner.records["anthropic"]
					c(w, b)
				})
				time.Sleep(time.Second)
				expect(t, "condition", d.conditions.Has(condition.RecordWithheld), true)
				expect(t, "the withheld one", d.value("anthropic"), protocol.CodeUnavailable)
				expect(t, "the rest", d.value("openrouter"), "sk-1")
				w.broker.set(func(b *fakeBroker) { b.records["anthropic"] = w.owner.records["anthropic"] })
				time.Sleep(10 * time.Minute)
				expect(t, "when it comes", d.value("anthropic"), "ant")
				expect(t, "condition", d.conditions.Has(condition.RecordWithheld), false)
			})
		})
	}
}

func TestTheOldValueIsServedUntilTheNewOneCame(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		w.broker.set(func(b *fakeBroker) {
			b.fault = func(call string) error {
				if strings.HasPrefix(call, "record ") {
					return protocol.ErrUnreachable
				}
				return nil
			}
		})
		w.owner.store("openrouter", "sk-2")
		w.owner.publish(w.broker)
		time.Sleep(time.Minute)
		expect(t, "while it is on its way", d.value("openrouter"), "sk-1")
		w.broker.set(func(b *fakeBroker) { b.fault = nil })
		time.Sleep(10 * time.Minute)
		expect(t, "when it came", d.value("openrouter"), "sk-2")
		w.owner.store("openrouter", "sk-3")
		raw := w.owner.signed()
		w.broker.set(func(b *fakeBroker) { b.manifest, b.revision = raw, w.owner.manifest.Revision }) // the record is withheld
		time.Sleep(time.Second)
		expect(t, "when it is withheld", d.value("openrouter"), protocol.CodeUnavailable)
	})
}

func TestReadyMeansThatTheFirstRecordsCame(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.broker.fault = func(call string) error {
			if strings.HasPrefix(call, "record ") {
				time.Sleep(time.Second)
			}
			return nil
		}
		d := w.start()
		if ok, _ := d.Ready(); ok {
			t.Fatal("ready before the first record")
		}
		time.Sleep(2 * time.Second)
		if ok, reasons := d.Ready(); !ok {
			t.Fatalf("not ready: %v", reasons)
		}
	})
}

func TestARecordThatIsNotListedIsDropped(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		delete(w.owner.records, "openrouter")
		raw := w.owner.signed()
		w.broker.set(func(b *fakeBroker) { b.manifest, b.revision = raw, w.owner.manifest.Revision }) // it still has the record
		time.Sleep(time.Second)
		expect(t, "value", d.value("openrouter"), protocol.CodeNotFound)
	})
}

func TestAnOlderManifestIsRefusedAfterARestartToo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		old := w.broker.manifest
		d := w.start()
		w.owner.scope("anthropic")
		w.owner.publish(w.broker)
		time.Sleep(time.Second)
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		w.broker.set(func(b *fakeBroker) { b.manifest, b.revision = old, 1 })
		again := w.start()
		time.Sleep(time.Second)
		expect(t, "condition", again.conditions.Has(condition.ManifestRefused), true)
		expect(t, "value", again.value("openrouter"), protocol.CodeDenied)
	})
}

func TestADamagedCacheIsNamedAndWrittenAnew(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if err := w.store.WriteFile(w.id, "cache.json", []byte(`{"version":1}`)); err != nil {
			t.Fatal(err)
		}
		d := w.start()
		time.Sleep(time.Second)
		expect(t, "value", d.value("openrouter"), "sk-1")
		expect(t, "condition", d.conditions.Has(condition.CacheCorrupt), false)
	})
}

// A reload that stops the link between a manifest and its records does not leave them
// to the end of the next long poll.
func TestAReloadBetweenManifestAndRecordsCostsNoPoll(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		asked := make(chan struct{})
		var lost error // the first answer
		first := sync.OnceFunc(func() {
			close(asked)
			time.Sleep(time.Second) // the answer does not come before the link is stopped
			lost = protocol.ErrUnreachable
		})
		w.broker.set(func(b *fakeBroker) {
			b.fault = func(call string) error {
				if call == "record brave-search" {
					lost = nil
					first()
					return lost
				}
				return nil
			}
		})
		w.owner.scope("openrouter", "brave-search")
		w.owner.store("brave-search", "key-2")
		w.owner.publish(w.broker)
		<-asked
		d.Reload()
		time.Sleep(5 * time.Second)
		expect(t, "value", d.value("brave-search"), "key-2")
	})
}

// Who loses cache.json, or has it taken away, still knows how far the owner had come.
func TestAHostileBrokerBringsNothingBackWhereTheCacheIsLost(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]time.Duration{"at once": time.Minute, "after a renewal": 30 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.owner.scope("openrouter", "anthropic")
				w.owner.store("anthropic", "ant")
				w.owner.publish(w.broker)
				d := w.start()
				time.Sleep(time.Minute)
				expect(t, "wide", d.value("anthropic"), "ant")
				var wide fakeBroker
				w.broker.get(func(b *fakeBroker) {
					wide.manifest, wide.revision, wide.records = b.manifest, b.revision, maps.Clone(b.records)
				})
				w.owner.scope("openrouter")
				w.owner.publish(w.broker)
				time.Sleep(later)
				expect(t, "narrowed", d.value("anthropic"), protocol.CodeDenied)
				_ = d.stop()
				if err := w.store.RemoveFile(w.id, "cache.json"); err != nil {
					t.Fatal(err)
				}
				w.broker.set(func(b *fakeBroker) { b.manifest, b.revision, b.records = wide.manifest, wide.revision, wide.records })
				d = w.start()
				time.Sleep(time.Minute)
				expect(t, "brought back", d.value("anthropic"), protocol.CodeDenied)
				expect(t, "condition", d.conditions.Has(condition.ManifestRefused), true)
				w.owner.publish(w.broker)
				time.Sleep(2 * time.Minute)
				expect(t, "the owner's last word", d.value("openrouter"), "sk-1")
			})
		})
	}
}

// What the payload remembers of the manifest costs the card no write of its own.
func TestTheRevisionIsSavedWithTheSessionAlone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		time.Sleep(time.Minute)
		before := w.generation()
		for range 5 {
			w.owner.publish(w.broker)
			time.Sleep(time.Minute)
		}
		expect(t, "saves", w.generation(), before)
		time.Sleep(30 * time.Hour)
		expect(t, "remembered", w.load().ManifestRevision, w.owner.manifest.Revision)
		expect(t, "state", d.state(), "online")
	})
}
