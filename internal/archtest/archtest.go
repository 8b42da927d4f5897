// Package archtest holds the architecture as tests: which package stands on
// which floor and may import which other, what each program depends on, and the
// manners a linter cannot see. ARCHITECTURE.md says why; the table in
// places.go is what is enforced. A package that the table does not know fails
// the tests, so that whoever adds one decides where it stands.
package archtest
