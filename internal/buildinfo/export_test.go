package buildinfo

// Describe lets the tests ask about builds other than their own.
var Describe = describe
