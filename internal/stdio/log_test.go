package stdio_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/stdio"
)

// pager reads nothing until it is let go.
type pager struct {
	open chan struct{}
	text bytes.Buffer
}

func (p *pager) Write(line []byte) (int, error) {
	<-p.open
	return p.text.Write(line)
}

func TestALogWhoseReaderHangsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pager{open: make(chan struct{})}
		log := stdio.NewLog(p)
		began := time.Now()
		const lines = 5000
		for i := range lines {
			_, _ = fmt.Fprintf(log, "line %d\n", i)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the work waited for %v", took)
		}
		close(p.open)
		synctest.Wait()
		_, _ = fmt.Fprintln(log, "the last")
		log.Close()
		_, _ = fmt.Fprintln(log, "after the end")
		text := p.text.String()
		kept := strings.Count(text, "line ")
		if !strings.HasPrefix(text, "line 0\n") || !strings.HasSuffix(text, "the last\n") ||
			!strings.Contains(text, fmt.Sprintf("%d lines of the log were lost", lines-kept)) {
			t.Errorf("%d kept, end %q", kept, text[max(0, len(text)-120):])
		}
	})
}

func TestTheEndDoesNotWaitForAHungReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pager{open: make(chan struct{})}
		log := stdio.NewLog(p)
		_, _ = fmt.Fprintln(log, "a line")
		began := time.Now()
		log.Close()
		if took := time.Since(began); took != time.Second {
			t.Errorf("it waited for %v", took)
		}
		close(p.open)
	})
}
