package keychain_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	keyring "github.com/zalando/go-keyring"
)

// goKeyringVariable makes the test program one that uses go-keyring as its manual says,
// with nothing of ours around it: set (value on stdin), get or delete.
const goKeyringVariable = "KEYCHAIN_TEST_GO_KEYRING"

func runGoKeyring(operation string) int {
	var err error
	switch operation {
	case "set":
		var value []byte
		if value, err = io.ReadAll(os.Stdin); err == nil {
			err = keyring.Set("agentkeys", account, string(value))
		}
	case "get":
		var value string
		value, err = keyring.Get("agentkeys", account)
		fmt.Print(value)
	case "delete":
		err = keyring.Delete("agentkeys", account)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// goKeyring runs such a program in a session; it ends with ctx.
func goKeyring(ctx context.Context, t *testing.T, env []string, stdin, operation string) (string, error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(env, goKeyringVariable+"="+operation)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	return string(out), err
}
