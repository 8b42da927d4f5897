package main

import "github.com/agentkeys/agentkeys/internal/cli"

// target is the agent of a command, given as an operand or with --agent.
type target struct {
	Identity string `arg:"" optional:"" help:"The agent: its wallet, alias or e-mail address."`
	Agent    string `help:"The same as IDENTITY." placeholder:"IDENTITY"`
}

// named is the agent; empty: none was typed. Two different ones are a mistake.
func (tg target) named() (string, error) {
	if tg.Identity != "" && tg.Agent != "" && tg.Identity != tg.Agent {
		return "", cli.Usage("IDENTITY is "+tg.Identity+" and --agent is "+tg.Agent+": give one", "")
	}
	if tg.Identity != "" {
		return tg.Identity, nil
	}
	return tg.Agent, nil
}

// needed is named for a command that requires an agent; hint is the right command line.
func (tg target) needed(hint string) (string, error) {
	identity, err := tg.named()
	if err == nil && identity == "" {
		err = cli.Usage("IDENTITY is missing", hint)
	}
	return identity, err
}
