package owner

// WarnOfSize tells warn of a journal of these sizes, one after the other.
func WarnOfSize(warn func(string), sizes ...int) {
	o := &Owner{cfg: Config{Warn: warn}}
	for _, size := range sizes {
		o.warnOfSize(size)
	}
}
