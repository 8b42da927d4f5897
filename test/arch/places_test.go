package arch

import (
	"maps"
	"slices"
	"testing"
)

func TestObjection(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		from, to string
		allowed  bool
	}{
		"a use case stands on a value":            {"store", "secret", true},
		"a use case stands on a decision":         {"agent", "retry", true},
		"a value knows no decision":               {"secret", "session", false},
		"a decision knows no use case":            {"session", "store", false},
		"a use case knows no adapter":             {"agent", "brokerclient", false},
		"the store has its file":                  {"store", "atomicfile", true},
		"an adapter knows its port":               {"store/keychain", "store", true},
		"adapters do not know each other":         {"agent/localapi", "brokerclient", false},
		"neighbours that the table names":         {"protocol", "scope", true},
		"neighbours that it does not name":        {"scope", "protocol", false},
		"the agent's loops do not know the owner": {"agent", "owner", false},
		"the running floor knows no program":      {"supervise", "cmd/agentkeys", false},
		"the broker may have decisions":           {"broker", "pairing", true},
		"the broker may not have the store":       {"broker", "store", false},
		"the store may not have the broker":       {"store", "broker", false},
		"the broker's database knows its rules":   {"broker/sqlite", "broker", true},
		"the rules do not know the database":      {"broker", "broker/sqlite", false},
		"HTTP and database are strangers":         {"broker/httpapi", "broker/sqlite", false},
		"the daemon has no broker":                {"cmd/agentkeys-daemon", "broker", false},
		"the CLI has no database":                 {"cmd/agentkeys", "broker/sqlite", false},
		"the broker has no loops of the daemon":   {"cmd/agentkeys-broker", "agent", false},
		"the broker has its database":             {"cmd/agentkeys-broker", "broker/sqlite", true},
		"the broker has what all share":           {"cmd/agentkeys-broker", "systemd/notify", true},
		"wiring knows every adapter":              {"cmd/agentkeys-daemon", "store/keychain", true},
		"a suite imports what it tests":           {"broker/brokertest", "broker/sqlite", true},
		"nobody imports a suite":                  {"broker/sqlite", "broker/brokertest", false},
		"a newcomer has to be placed":             {"newcomer", "secret", false},
		"and may not be used before":              {"store", "newcomer", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := objection(places(), tt.from, tt.to)
			if (got == "") != tt.allowed {
				t.Errorf("%s imports %s: %q, want allowed = %t", tt.from, tt.to, got, tt.allowed)
			}
		})
	}
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	table := places()
	for path, p := range readTree(t) {
		for _, imported := range p.imports() {
			if why := objection(table, path, imported); why != "" {
				t.Errorf("%s imports %s: %s", path, imported, why)
			}
		}
	}
}

func TestEveryPackageHasItsPlace(t *testing.T) {
	t.Parallel()
	tree, table := readTree(t), places()
	for path := range tree {
		if _, known := table[path]; !known {
			t.Errorf("%s has no place: decide its floor in test/arch/places.go", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(table)) {
		if _, exists := tree[path]; !exists {
			t.Errorf("%s has a place and does not exist: take it out of test/arch/places.go", path)
		}
	}
}
