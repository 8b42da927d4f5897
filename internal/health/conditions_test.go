package health_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
)

const wallet = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func conditions(now func() time.Time) (*health.Conditions, *bytes.Buffer) {
	var out bytes.Buffer
	return health.NewConditions(now, slog.New(slog.NewTextHandler(&out, nil)), wallet), &out
}

func TestConditionsKeepTheirOrderAndBegin(t *testing.T) {
	t.Parallel()
	at := &clock{time.Unix(1000, 0)}
	c, _ := conditions(at.now)
	c.Set(condition.SessionRevoked, true, "")
	at.at = time.Unix(2000, 0)
	c.Set(condition.KeychainLocked, true, "login")
	at.at = time.Unix(3000, 0)
	c.Set(condition.KeychainLocked, true, "default")
	c.Set(condition.BrokerAway, false, "never began")

	got := c.Active()
	if len(got) != 2 || got[0].Code != condition.KeychainLocked || got[1].Code != condition.SessionRevoked {
		t.Fatalf("%+v", got)
	}
	if got[0].Detail != "default" || !got[0].Since.Equal(time.Unix(2000, 0)) {
		t.Errorf("a new detail must not begin it anew: %+v", got[0])
	}
	if want := "agentkeys-daemon recover " + wallet + " --broker URL"; got[1].Hint != want {
		t.Errorf("hint %q, want %q", got[1].Hint, want)
	}
	c.Set(condition.KeychainLocked, false, "")
	if c.Has(condition.KeychainLocked) || !c.Has(condition.SessionRevoked) {
		t.Errorf("%+v", c.Active())
	}
}

func TestNoHintKeepsAPlaceholder(t *testing.T) {
	t.Parallel()
	c, _ := conditions(time.Now)
	for _, d := range condition.Declared() {
		c.Set(d.Code, true, "")
	}
	if got, want := len(c.Active()), len(condition.Declared()); got != want {
		t.Fatalf("%d active of %d", got, want)
	}
	for _, a := range c.Active() {
		if strings.Contains(a.Hint, "<") {
			t.Errorf("%s: %q", a.Code, a.Hint)
		}
	}
}

func TestAHintForTheCaseReplacesTheDeclaredOne(t *testing.T) {
	t.Parallel()
	c, _ := conditions(time.Now)
	c.SetHint(condition.SlotInsecure, "mode 0644", "chmod 600 /x")
	if got := c.Active()[0]; got.Hint != "chmod 600 /x" || got.Detail != "mode 0644" {
		t.Fatalf("%+v", got)
	}
	c.SetHint(condition.SlotInsecure, "mode 0644", "")
	if got := c.Active()[0].Hint; got != "agentkeys-daemon doctor --wallet "+wallet {
		t.Errorf("hint %q", got)
	}
}

func TestAChangeIsLoggedAndToldOnce(t *testing.T) {
	t.Parallel()
	at := &clock{time.Unix(1000, 0)}
	c, log := conditions(at.now)
	calls := 0
	c.OnChange(func() { calls++; _ = c.Active() }) // a listener may read the list
	for range 5 {
		c.Set(condition.BrokerAway, true, "connection refused")
	}
	at.at = time.Unix(1060, 0)
	for range 5 {
		c.Set(condition.BrokerAway, false, "")
	}
	if calls != 2 || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("%d calls, log:\n%s", calls, log)
	}
	for _, want := range []string{"level=WARN", `msg="condition began" code=broker_away`, `msg="condition ended"`, "seconds=60"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %q:\n%s", want, log)
		}
	}
}

func TestAnUndeclaredConditionIsAnError(t *testing.T) {
	t.Parallel()
	c, log := conditions(time.Now)
	c.Set("no_such", true, "")
	if c.Has("no_such") || len(c.Active()) != 0 || !strings.Contains(log.String(), "not declared") {
		t.Errorf("%v\n%s", c.Active(), log)
	}
}

func TestConditionsFromManyGoroutines(t *testing.T) {
	t.Parallel()
	c := health.NewConditions(time.Now, slog.New(slog.DiscardHandler), wallet)
	m := health.NewMetrics(wallet, "v1", c)
	c.OnChange(func() { _ = c.Has(condition.BrokerAway) })
	var all sync.WaitGroup
	for _, d := range condition.Declared() {
		all.Go(func() {
			for i := range 50 {
				c.Set(d.Code, i%2 == 0, "x")
			}
		})
		all.Go(func() {
			if _, err := m.Gatherer().Gather(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := c.Active(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
