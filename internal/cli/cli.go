// Package cli is the command line that all programs share: a parser and its help pages, one type for
// failures and one way to report them, tables, and questions to a person.
//
// A program declares its commands as a struct for kong: one field for each command, with the tags
// `cmd` and `help`. Parse makes every program behave in the same way:
//
//   - without arguments the help page goes to standard error, with exit code 64;
//   - help, help COMMAND, --help and -h print a help page and exit with 0;
//   - --version is the command version;
//   - a mistyped word is an error that names the nearest word and the command's help page.
//
// Errors are passed on unchanged. At the end of a run a program turns its error into a Failure and
// passes it to Report.
package cli
