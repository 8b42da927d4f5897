package main

import "github.com/agentkeys/agentkeys/internal/cli"

const name = "agentkeys"

// definition describes this program's command line.
func definition() cli.Program {
	return cli.Program{
		Name: name, Summary: "AgentKeys gives every agent a wallet, a session and only the credentials in its scope.",
		Examples: map[string]string{
			"init":     "agentkeys init --broker http://127.0.0.1:8420 --setup-token-file setup-token",
			"whoami":   "agentkeys whoami",
			"approve":  "agentkeys approve K7QF-2M9X-RT4B",
			"deny":     "agentkeys deny K7QF-2M9X-RT4B",
			"pairings": "agentkeys pairings",
			"agents":   "agentkeys agents set hermes --offline-ttl 36h",
			"store":    "echo sk-or-example | agentkeys store openrouter --agent hermes",
			"remove":   "agentkeys remove openrouter --agent hermes",
			"read":     "agentkeys read openrouter",
			"list":     "agentkeys list",
			"run":      "agentkeys run -- printenv OPENROUTER_API_KEY",
			"scope":    "agentkeys scope hermes --add openrouter",
			"link":     "agentkeys link hermes --email hermes@example.com",
			"revoke":   "agentkeys revoke hermes",
			"teardown": "agentkeys teardown hermes",
			"reopen":   "agentkeys reopen hermes",
			"usage":    "agentkeys usage hermes --since 24h",
			"doctor":   "agentkeys doctor",
			"version":  "agentkeys version",
		},
	}
}

// global holds the flags of every command.
type global struct {
	Broker    string  `help:"Address of the broker, instead of the one that the session remembers ($$AGENTKEYS_BROKER)." placeholder:"URL"`
	SessionID *string `name:"session-id" help:"Slot to work with, master by default; daemon-<wallet> acts as that agent ($$AGENTKEYS_SESSION_ID)." placeholder:"ID"`
	Wallet    string  `help:"Ask the daemon of this wallet: read, list, run ($$AGENTKEYS_WALLET)." placeholder:"WALLET"`
	JSON      bool    `name:"json" help:"Print JSON, errors too."`
	Verbose   bool    `help:"Say on standard error what happens; doctor then shows every check."`
	Wide      bool    `help:"Show every column of a table, however narrow the terminal is."`

	walletFlag bool // Wallet was typed, not in the environment
}

// withEnvironment fills in what was not typed. A typed --wallet or --session-id is not combined with
// the other one from the environment.
func (g global) withEnvironment(getenv func(string) string) global {
	g.walletFlag = g.Wallet != ""
	if g.Broker == "" {
		g.Broker = getenv("AGENTKEYS_BROKER")
	}
	sessionFlag := g.SessionID != nil
	if id := getenv("AGENTKEYS_SESSION_ID"); !sessionFlag && !g.walletFlag && id != "" {
		g.SessionID = &id
	}
	if !sessionFlag && !g.walletFlag {
		g.Wallet = getenv("AGENTKEYS_WALLET")
	}
	return g
}

// grammar declares the commands for kong. Each has a struct in the file of its Run.
type grammar struct {
	global `embed:""`

	Init     initCmd     `cmd:"" help:"Make an account, bring it back with the recovery key, move it to another broker, or say who you are."`
	Whoami   whoamiCmd   `cmd:"" help:"Say whose session this is and where it is stored."`
	Approve  approveCmd  `cmd:"" help:"Approve the board that shows CODE."`
	Deny     denyCmd     `cmd:"" help:"Deny the board that shows CODE."`
	Pairings pairingsCmd `cmd:"" help:"List what was approved and denied."`
	Agents   agentsCmd   `cmd:"" help:"List the agents."`
	Store    storeCmd    `cmd:"" help:"Store a credential; its value comes from standard input, a prompt or a file."`
	Remove   removeCmd   `cmd:"" help:"Remove a credential."`
	Read     readCmd     `cmd:"" help:"Print a credential."`
	List     listCmd     `cmd:"" help:"List the credentials, without their values."`
	Run      runCmd      `cmd:"" help:"Start a program with credentials in its environment or in files."`
	Scope    scopeCmd    `cmd:"" help:"Show or change which services an agent may have."`
	Link     linkCmd     `cmd:"" help:"Give an agent an alias or an e-mail address."`
	Revoke   revokeCmd   `cmd:"" help:"End the session of an agent; without IDENTITY, your own."`
	Teardown teardownCmd `cmd:"" help:"End an agent for good, with its credentials."`
	Reopen   reopenCmd   `cmd:"" help:"Let an agent go on whose session lapsed."`
	Usage    usageCmd    `cmd:"" help:"Show the audit trail."`
	Doctor   doctorCmd   `cmd:"" help:"Say what is wrong on this machine, and the command that mends it."`
	Version  versionCmd  `cmd:"" help:"Say which build this is."`
}
