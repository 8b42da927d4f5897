package checkup

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
)

// buildDate is when the programs were built. A clock before that is wrong.
func buildDate() time.Time { return buildinfo.Get().Date }
