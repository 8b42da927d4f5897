package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// attentive is a keychain task that says once that it looked.
type attentive struct{ changed chan struct{} }

func (attentive) SetWaiting(bool)            {}
func (a attentive) Changed() <-chan struct{} { return a.changed }

// A keychain takes the session and answers nothing from then on. The daemon knows from
// the head that the session is the one in its memory, and continues to renew it. Otherwise each
// save would find the slot changed, and no request would reach the broker.
func TestAKeychainThatHangsAfterItTookTheSessionKeepsNobodyOffline(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		expect(t, "a first run", w.start().stop(), nil) // it saves the scope
		head := filepath.Join(w.store.Dir(w.id), "session.json")
		ring := storetest.NewKeyring()
		ring.SetFault(func(op storetest.Operation) storetest.Fault {
			data, err := os.ReadFile(head)
			if op == storetest.OperationGet && err == nil && strings.Contains(string(data), `"where":"keychain"`) {
				return storetest.FaultLost
			}
			return storetest.FaultNone
		})
		w.store = must(store.New(store.Config{Home: w.store.Home(), Keychain: ring.Client(nil)}))(t)
		changed := make(chan struct{}, 1)
		changed <- struct{}{}
		w.keychain = attentive{changed}
		first := w.load()
		d := w.start()
		time.Sleep(time.Minute)
		if data, err := os.ReadFile(head); err != nil || !strings.Contains(string(data), `"where":"keychain"`) {
			t.Fatalf("the session did not move: %v", err)
		}
		expect(t, "storage", d.Status().Storage.Backend, "keychain")
		time.Sleep(24*time.Hour + time.Minute)
		expect(t, "state", d.state(), "online")
		after := w.load()
		if after.Token.Equal(first.Token) || !after.Next.IsZero() {
			t.Error("not renewed")
		}
	})
}
