package needs

import "testing"

// SequentialReason is what a test says that Sequential skipped. The test runner looks for
// it, and runs these tests again without the race detector.
const SequentialReason = "sequential: left to the pass without the race detector"

// Sequential declares that the test computes much in one goroutine at a time. The race
// detector finds nothing in such a test and makes it about ten times slower, so under it
// the test is skipped. `make test` then runs it without, and fails if it does not.
func Sequential(t testing.TB) {
	t.Helper()
	if raceDetector {
		t.Skip(SequentialReason)
	}
}
