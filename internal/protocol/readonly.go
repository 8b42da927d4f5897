package protocol

// The reasons why a broker cannot write, as GET /v1/info names them.
const (
	ReadOnlyNoSpace = "no_space"
	ReadOnlyMount   = "read_only_file_system"
	ReadOnlyFault   = "disk_fault"
)

// ReadOnlyText describes a reason to a person. A reason that this version does not know, from
// a newer broker, is described as a fault of the disk.
func ReadOnlyText(reason string) string {
	switch reason {
	case ReadOnlyNoSpace:
		return "no space is left on the broker's disk"
	case ReadOnlyMount:
		return "the broker's disk is mounted read-only"
	}
	return "the broker's disk cannot be written"
}
