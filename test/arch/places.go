package arch

import "slices"

// floor is how high a package stands; imports point down.
type floor int

const (
	values         floor = iota // pure, know nothing of the product's work
	decisions                   // pure rules; time is an argument, no network, no files
	useCases                    // the work, against ports
	adapters                    // one outside thing each
	running                     // holds long-lived tasks together
	brokerRules                 // the broker apart: its rules
	brokerAdapters              // the broker's HTTP and its database
	tests                       // suites, the demo: may import all, imported by no program
	programs                    // cmd/...
)

// place is where one package stands.
type place struct {
	floor floor
	// also lists imports that the floors alone would refuse: neighbours on the
	// same floor, and the one adapter that a use case stands on.
	also []string
	// shared marks what serves daemon, CLI and broker alike.
	shared bool
}

// places knows every package of the module by its path below internal/, or
// from cmd/ on.
func places() map[string]place {
	all := productPlaces()
	for _, path := range testPackages() {
		all[path] = place{floor: tests}
	}
	return all
}

func productPlaces() map[string]place {
	return map[string]place{
		"buildinfo":  {floor: values},
		"display":    {floor: values},
		"harden":     {floor: values},
		"protocol":   {floor: values, also: []string{"scope", "wallet", "words"}},
		"scope":      {floor: values},
		"secret":     {floor: values},
		"stdio":      {floor: values},
		"strictjson": {floor: values},
		"wallet":     {floor: values, also: []string{"display"}},
		"words":      {floor: values},

		"access":           {floor: decisions},
		"health/condition": {floor: decisions},
		"doctor":           {floor: decisions, also: []string{"health/condition", "doctor/holder"}},
		"health":           {floor: decisions, also: []string{"health/condition"}},
		"doctor/holder":    {floor: decisions, also: []string{"access"}},
		"pairing":          {floor: decisions, also: []string{"seal"}},
		"retry":            {floor: decisions},
		"seal":             {floor: decisions, also: []string{"session"}},
		"session":          {floor: decisions},

		"agent/longpoll": {floor: decisions},
		"agent":          {floor: useCases, also: []string{"store"}},
		"agent/enroll":   {floor: useCases, also: []string{"store"}},
		"owner":          {floor: useCases, also: []string{"store"}},
		"store":          {floor: useCases, also: []string{"atomicfile", "store/slotdir"}},

		"store/slotdir":  {floor: useCases, also: []string{"atomicfile"}},
		"atomicfile":     {floor: adapters, shared: true},
		"mounts":         {floor: adapters, shared: true},
		"brokerclient":   {floor: adapters},
		"agent/localapi": {floor: adapters},
		"localclient":    {floor: adapters},
		"paths":          {floor: adapters},
		"portholder":     {floor: adapters},
		"systemd/notify": {floor: adapters, shared: true},
		"settings":       {floor: adapters},
		"store/keychain": {floor: adapters},
		"systemd":        {floor: adapters},
		"exporter":       {floor: adapters},
		"unixsocket":     {floor: adapters, shared: true},

		"systemd/manager": {floor: adapters},
		"cli":             {floor: running, shared: true},
		"doctor/checkup":  {floor: running}, // looks through every adapter once
		"supervise":       {floor: running, shared: true},

		"broker":         {floor: brokerRules},
		"broker/datadir": {floor: brokerAdapters},
		"broker/httpapi": {floor: brokerAdapters},
		"broker/metrics": {floor: brokerAdapters},
		"broker/sqlite":  {floor: brokerAdapters},

		"cmd/agentkeys":          {floor: programs},
		"cmd/agentkeys-broker":   {floor: programs},
		"cmd/agentkeys-daemon":   {floor: programs},
		"cmd/agentkeys-exporter": {floor: programs},
	}
}

// testPackages stand apart: no program imports one.
func testPackages() []string {
	return []string{
		"test/arch",
		"test/bench",
		"broker/brokertest",
		"test/demo",
		"test/e2e",
		"test/manual",
		"test/manual/manualtest",
		"test/monitoring",
		"test/needs",
		"test/pty",
		"store/keychain/keyringtest",
		"store/storetest",
		"systemd/systemdtest",
		"test/testrun",
	}
}

// objection says why package from may not import package to, or "".
func objection(table map[string]place, from, to string) string {
	f, known := table[from]
	if !known {
		return from + " has no place in test/arch/places.go"
	}
	t, known := table[to]
	switch {
	case !known:
		return to + " has no place in test/arch/places.go"
	case f.floor == tests:
		return ""
	case t.floor == tests:
		return "only tests import a test package"
	case t.floor == programs:
		return "nothing imports a program"
	case t.floor <= decisions && f.floor > decisions:
		return ""
	case inBroker(from, f) != inBroker(to, t) && !t.shared:
		return "the broker tree and the agent tree do not import each other"
	case f.floor == programs, slices.Contains(f.also, to), f.floor == brokerAdapters && t.shared:
		return ""
	case t.floor == f.floor:
		return "neighbours on one floor import each other only where the table says so"
	case t.floor > f.floor:
		return "imports point down"
	}
	return ""
}

// inBroker reports whether a package belongs to the broker's side.
func inBroker(path string, p place) bool {
	return p.floor == brokerRules || p.floor == brokerAdapters || path == "cmd/agentkeys-broker"
}
