package certificate

// Look is what Run does at every tick.
func (f *Files) Look() { f.look() }
