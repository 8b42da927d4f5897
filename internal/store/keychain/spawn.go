package keychain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// reapDelay is how long output is waited for after the child has ended, so that no answer is
// lost on a busy machine. A call outlasts its deadline by it only if a grandchild left the
// process group and holds the pipe open.
const reapDelay = time.Second

// errAnswer: the child ended without an answer, or wrote something else.
var errAnswer = errors.New("the keychain child gave no answer")

// spawn runs the child for one request. When it has answered, or when ctx ends, its process
// group is killed. spawn returns after the child has ended.
func spawn(ctx context.Context, executable string, env []string, req request) (answer, error) {
	message, err := json.Marshal(req)
	if err != nil {
		return answer{}, fmt.Errorf("encode request: %w", err)
	}
	defer clear(message)
	ctx, answered := context.WithCancel(ctx)
	defer answered()
	cmd := command(ctx, executable, env, ChildCommand)
	cmd.Stdin = bytes.NewReader(message)
	line := lineBuffer{complete: answered}
	cmd.Stdout = &line
	defer line.wipe()
	err = runLocked(cmd)
	if a, ok := parseAnswer(line.data); ok {
		return a, nil
	}
	return answer{}, fmt.Errorf("%w: %w", errAnswer, err)
}

// parseAnswer parses one whole line.
func parseAnswer(data []byte) (a answer, ok bool) {
	if !bytes.HasSuffix(data, []byte("\n")) || json.Unmarshal(data, &a) != nil {
		return answer{}, false
	}
	return a, a.Outcome != ""
}

// command is a program in a process group of its own, with exactly env and no stderr. The
// group is killed when ctx ends.
func command(ctx context.Context, path string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = env
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = reapDelay
	return cmd
}

// runLocked stays on one thread: the kernel sends the parent-death signal when the thread
// ends that started the child, not the process (prctl(2), PR_SET_PDEATHSIG).
func runLocked(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

// lineBuffer takes one line of at most maxMessage bytes, and calls complete at its end. A
// longer line is an error, which ends the pipe.
type lineBuffer struct {
	data     []byte
	complete func()
}

func (b *lineBuffer) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > maxMessage {
		return 0, errAnswer
	}
	b.data = append(b.data, p...)
	if bytes.HasSuffix(p, []byte("\n")) {
		b.complete()
	}
	return len(p), nil
}

func (b *lineBuffer) wipe() { clear(b.data[:cap(b.data)]) }
