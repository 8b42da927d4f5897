package checkup

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
)

// buildDate is when the programs were made: no true clock is before it.
func buildDate() time.Time { return buildinfo.Get().Date }
