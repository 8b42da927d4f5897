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

// reapDelay is how long output is waited for after the child is gone: a grandchild
// that left the group could hold the pipe open.
const reapDelay = 20 * time.Millisecond

// errAnswer: the child died or said something else than an answer.
var errAnswer = errors.New("the keychain child gave no answer")

// spawn runs the child for one request. When ctx ends, its whole process group is
// killed; it is always waited for.
func spawn(ctx context.Context, executable string, env []string, req request) (answer, error) {
	message, err := json.Marshal(req)
	if err != nil {
		return answer{}, fmt.Errorf("encode request: %w", err)
	}
	defer clear(message)
	cmd := command(ctx, executable, env, ChildCommand)
	cmd.Stdin = bytes.NewReader(message)
	var out limitedBuffer
	cmd.Stdout = &out
	defer out.wipe()
	if err := runLocked(cmd); err != nil {
		return answer{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return parseAnswer(out.data)
}

func parseAnswer(data []byte) (answer, error) {
	var a answer
	if json.Unmarshal(data, &a) != nil || a.Outcome == "" {
		return answer{}, errAnswer
	}
	return a, nil
}

// command is a program in a process group of its own with exactly env and no
// stderr, ended as a group with ctx.
func command(ctx context.Context, path string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = env
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = reapDelay
	return cmd
}

// runLocked keeps to one thread: the kernel sends the parent-death signal when the
// thread ends that started the child (prctl(2), PR_SET_PDEATHSIG).
func runLocked(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

// limitedBuffer takes maxMessage bytes and then fails, which breaks the pipe.
type limitedBuffer struct{ data []byte }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > maxMessage {
		return 0, errAnswer
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

func (b *limitedBuffer) wipe() { clear(b.data[:cap(b.data)]) }
