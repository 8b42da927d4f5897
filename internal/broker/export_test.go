package broker

// Network is what an address counts as in the limits.
var Network = network
