package brokerclient

// For the fuzz target of the parser, and for what cannot be reached by a URL.
var (
	ParseProblem = parseProblem
	OnlyLoopback = onlyLoopback
)

// MaxReply is the largest reply in bytes.
const MaxReply = maxReply
