package keychain

// The providers that a probe names. They are values of a label of metrics, so there are no
// others.
const ()
