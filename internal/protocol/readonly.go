package protocol

// Why a broker cannot write, as GET /v1/info says it.
const (
	ReadOnlyNoSpace = "no_space"
	ReadOnlyMount   = "read_only_file_system"
	ReadOnlyFault   = "disk_fault"
)

// ReadOnlyReasons are all of them.
func ReadOnlyReasons() []string { return []string{ReadOnlyNoSpace, ReadOnlyMount, ReadOnlyFault} }

// ReadOnlyText says a reason to a person. A reason of a newer broker has the text of a
// broken disk.
func ReadOnlyText(reason string) string {
	switch reason {
	case ReadOnlyNoSpace:
		return "no space is left on the broker's disk"
	case ReadOnlyMount:
		return "the broker's disk is mounted read-only"
	}
	return "the broker's disk cannot be written"
}
