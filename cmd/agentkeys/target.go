package main

import "github.com/agentkeys/agentkeys/internal/cli"

// target is the agent that a command is about, as an operand or by --agent.
type target struct {
	Identity string `arg:"" optional:"" help:"The agent: its wallet, alias or e-mail address."`
	Agent    string `help:"The same as IDENTITY." placeholder:"IDENTITY"`
}

// named is the agent; empty: none was typed. Two that differ are a mistake.
func (t target) named() (string, error) {
	if t.Identity != "" && t.Agent != "" && t.Identity != t.Agent {
		return "", cli.Usage("IDENTITY is "+t.Identity+" and --agent is "+t.Agent+": give one", "")
	}
	if t.Identity != "" {
		return t.Identity, nil
	}
	return t.Agent, nil
}

// needed is named where there has to be one; hint is the command as it should be.
func (t target) needed(hint string) (string, error) {
	identity, err := t.named()
	if err == nil && identity == "" {
		err = cli.Usage("IDENTITY is missing", hint)
	}
	return identity, err
}
