package words

// The sockets of a daemon, in its runtime directory. AgentSocket is also the value of the
// label `interface`.
const (
	AgentSocket   = "agent.sock"   // credentials and status, for callers that the rules let ask
	MetricsSocket = "metrics.sock" // metrics and readiness, for anyone on the host
)

// The files of a slot.
const (
	FileHead      = "session.json"   // the head: generation, place and, in a file, payload of the session
	FileLock      = ".lock"          // flock: one writer at a time
	FileCache     = "cache.json"     // a daemon's: the last manifest and its records, sealed
	FileEvents    = "events.json"    // a daemon's: accesses that the broker was not told yet
	FileManifests = "manifests.json" // the owner's: what this owner signed for each agent
	FileAudit     = "audit.json"     // the owner's: which row of the audit trail was seen last
)
