// Package words owns the words that programs, metrics, documents and scripts agree on:
// the states of a daemon and of a keychain, the storage backends, the results of the
// store, the codes of conditions, the exit codes, and the names of sockets and files.
//
// Each word is written here once and nowhere else in the product: scripts, alerts and
// dashboards of users decide by them, so a word never changes its spelling or meaning.
// The architecture tests fail on a string literal that repeats one of them. The words of the broker's
// HTTP interface belong to package protocol in the same way.
package words
