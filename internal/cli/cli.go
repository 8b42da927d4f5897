// Package cli is the command line that all programs share: one parser and its help pages,
// one type of failure and one way to tell it, tables, and questions to a person.
//
// A program declares its commands as a struct that kong reads: one field for each command,
// with the tags `cmd` and `help`. Parse gives every program the same manners:
//
//   - without arguments the help page goes to standard error, with exit code 64;
//   - help, help COMMAND, --help and -h print a help page and end with 0;
//   - --version is the command version;
//   - what was mistyped is an error that names the nearest word and the command's help page.
//
// Errors travel as they are. At the end of a run a program turns its error into a Failure
// and gives it to Report.
package cli
