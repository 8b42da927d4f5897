package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// leaves is a reader that goes after some writes.
type leaves struct{ after int }

func (l *leaves) Write(p []byte) (int, error) {
	if l.after--; l.after < 0 {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

func TestAReaderThatLeavesAfterTheCodeEndsNoPairing(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	p := &program{stdout: stdio.NewOutput(&leaves{after: 1}), stderr: &said}
	if err := p.announcer().code(pairing.NewCode(), time.Minute); err != nil {
		t.Errorf("the code was shown: %v", err)
	}
	w := wallet.New()
	p.announcer().paired(enroll.Paired{Wallet: w}, nil)
	if !strings.Contains(said.String(), "paired as "+w.String()) {
		t.Errorf("%q", said.String())
	}
}

func TestACodeThatWasNotShownIsAnError(t *testing.T) {
	t.Parallel()
	p := &program{stdout: stdio.NewOutput(&leaves{}), stderr: &bytes.Buffer{}}
	if err := p.announcer().code(pairing.NewCode(), time.Minute); err == nil {
		t.Error("nobody saw the code")
	}
}
