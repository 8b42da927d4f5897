package main

import (
	"io/fs"
	"os"

	"github.com/agentkeys/agentkeys/internal/agent/localapi"
	"github.com/agentkeys/agentkeys/internal/paths"
)

// open makes the sockets in the first place where that is possible. In a directory that systemd made
// and every user may enter, every user may connect and the peer check decides. In a user's own
// directory the sockets are private; a user's service manager sets RUNTIME_DIRECTORY too.
func (i *instance) open() (*localapi.Pair, error) {
	var places []localapi.Place
	for _, p := range paths.SocketPlaces(i.p.getenv, i.storage.Home(), i.w) {
		mode := fs.FileMode(0o600)
		if made, err := os.Stat(p.Dir); err == nil && p.Unit && made.Mode().Perm()&0o001 != 0 {
			mode = 0o666
		}
		places = append(places, localapi.Place{Dir: p.Dir, Base: p.Base, Mode: mode})
	}
	sockets, skipped, err := localapi.Open(places)
	if err != nil {
		return nil, err
	}
	if skipped != nil {
		i.log.Warn("sockets are in another place", "directory", sockets.Dir, "error", skipped)
	}
	return sockets, nil
}
