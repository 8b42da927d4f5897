// Package e2e holds tests that drive the built programs as a user would, each test with a
// home, a broker and ports of its own. AGENTKEYS_BIN names a directory with the programs;
// without it they are built first.
package e2e
