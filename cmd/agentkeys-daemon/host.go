package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"

	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
)

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// machineHash identifies the board to its owner without its serial number. It is empty if the system
// does not tell the number.
func machineHash() string {
	for _, path := range machineFiles() {
		data, err := os.ReadFile(path)
		id := strings.Trim(string(data), "\x00 \n")
		if err == nil && id != "" {
			sum := sha256.Sum256([]byte("agentkeys machine v1\n" + id))
			return hex.EncodeToString(sum[:])
		}
	}
	return ""
}

// clockSynced reports whether the wall clock is synchronised.
func clockSynced() bool {
	known, synced := checkup.ClockSynced()
	return known && synced
}
