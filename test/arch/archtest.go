// Package arch tests the architecture: which package is on which floor and may import
// which other, which modules each program depends on, and rules of style that a linter
// cannot check. ARCHITECTURE.md gives the reasons; the table in places.go is what the tests
// enforce. A package that is not in the table fails the tests, so that its author decides
// where it belongs.
package arch
