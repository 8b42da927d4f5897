package paths

// For tests that stand in for the system's own directories.
var (
	HomeIn        = home
	ConfigDirOn   = configDir
	FindSocketsIn = findSockets
)
