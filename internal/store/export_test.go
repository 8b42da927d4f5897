package store

import "github.com/agentkeys/agentkeys/internal/session"

// RoundTripHead reads a head and writes it again.
func RoundTripHead(data []byte, id session.ID) ([]byte, error) {
	h, err := parseHead(data, id)
	if err != nil {
		return nil, err
	}
	return h.encode()
}

// RoundTripValue reads a keychain value and writes it again as ours.
func RoundTripValue(text string) (string, uint64, error) {
	v, err := parseValue(text)
	return v.encode(), v.generation, err
}
