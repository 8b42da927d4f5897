package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
)

type storeCmd struct {
	Service  string `arg:"" help:"Name of the credential: a-z, 0-9 and -."`
	Agent    string `help:"The agent whose wallet takes it; default: your own." placeholder:"IDENTITY"`
	FromFile string `help:"Take the value from this file; - is standard input." placeholder:"FILE"`
	Exact    bool   `help:"Keep the value byte for byte. Otherwise one line end after it is dropped."`
}

// Run stores one value. The value is never an argument, because other users can see arguments.
func (c storeCmd) Run(a *app) error {
	defer a.interruptible()()
	if err := scope.CheckService(c.Service); err != nil {
		return err
	}
	o, err := a.owner()
	if err != nil {
		return err
	}
	value, err := c.value(a)
	if err != nil {
		return err
	}
	m, err := o.Store(a.ctx, c.Agent, c.Service, value)
	if err != nil {
		return err
	}
	entry, _ := m.Entry(c.Service)
	note := ""
	switch {
	case c.Agent == "":
		note = "; it is in your own wallet, and no agent can read it"
	case !m.Scope.Allows(c.Service):
		note = "; it is not in the agent's scope, so only you can open it"
	}
	return a.print(struct {
		Agent    string `json:"agent"`
		Service  string `json:"service"`
		Revision uint64 `json:"revision"`
	}{m.Wallet.String(), c.Service, entry.Revision}, "stored %s for %s, revision %d%s", c.Service, named(m), entry.Revision, note)
}

func (c storeCmd) value(a *app) (value secret.String, err error) {
	if c.FromFile != "" {
		value, err = a.readSecretFile(c.FromFile)
	} else {
		value, err = a.prompt("Value of " + c.Service)
	}
	if !c.Exact {
		value = withoutLineEnd(value)
	}
	switch {
	case err != nil:
		return value, err
	case value.IsZero():
		return value, cli.Usage("the value is empty", "agentkeys store "+c.Service+" < FILE")
	case strings.ContainsFunc(value.Reveal(), unicode.IsControl):
		a.warn("the value holds control characters, as a line end or a NUL: no HTTP header takes it, and with a NUL no environment variable")
	}
	return value, nil
}

type removeCmd struct {
	Service string `arg:"" help:"Name of the credential."`
	Agent   string `help:"The agent; default: your own wallet." placeholder:"IDENTITY"`
}

// Run removes a credential from a wallet.
func (c removeCmd) Run(a *app) error {
	defer a.interruptible()()
	o, err := a.owner()
	if err != nil {
		return err
	}
	m, err := o.Remove(a.ctx, c.Agent, c.Service)
	if err != nil {
		return err
	}
	return a.print(map[string]string{"agent": m.Wallet.String(), "service": c.Service}, "removed %s from %s", c.Service, named(m))
}

type readCmd struct {
	Service string `arg:"" help:"Name of the credential."`
	Agent   string `help:"The agent, through the broker." placeholder:"IDENTITY"`
}

// Run prints one value, with a newline on a terminal only.
func (c readCmd) Run(a *app) error {
	defer a.interruptible()()
	if err := scope.CheckService(c.Service); err != nil {
		return err
	}
	src, err := a.source(c.Agent)
	if err != nil {
		return err
	}
	value, err := src.Read(a.ctx, c.Service)
	if err != nil {
		return err
	}
	if a.global.JSON {
		return a.printJSON(valueJSON(src.Wallet().String(), c.Service, value))
	}
	end := ""
	if cli.IsTerminal(a.stdout.Raw()) {
		end = "\n"
	}
	_, err = fmt.Fprint(a.stdout, value.Reveal(), end)
	return err
}

// credentialJSON is what `read --json` prints.
type credentialJSON struct {
	Agent            string  `json:"agent"`
	Service          string  `json:"service"`
	Credential       *string `json:"credential,omitempty"`
	CredentialBase64 []byte  `json:"credential_base64,omitempty"`
}

func valueJSON(agent, service string, value secret.String) credentialJSON {
	out := credentialJSON{Agent: agent, Service: service}
	text := value.Reveal()
	if utf8.ValidString(text) {
		out.Credential = &text
	} else {
		out.CredentialBase64 = []byte(text)
	}
	return out
}

type listCmd struct {
	Agent string `help:"The agent, through the broker." placeholder:"IDENTITY"`
}

// Run lists the credentials.
func (c listCmd) Run(a *app) error {
	defer a.interruptible()()
	src, err := a.source(c.Agent)
	if err != nil {
		return err
	}
	found, err := src.List(a.ctx)
	if err != nil {
		return err
	}
	rows := [][]string{}
	for _, e := range found {
		age := (time.Duration(e.AgeSeconds) * time.Second).String()
		if e.AgeSeconds < 0 {
			age = "not confirmed in this run"
		}
		rows = append(rows, []string{e.Service, strconv.FormatUint(e.Revision, 10), age})
	}
	return a.table(found, []cli.Column{{Title: "SERVICE", Min: 12}, {Title: "REVISION", Drop: 1}, {Title: "AGE"}}, rows)
}
