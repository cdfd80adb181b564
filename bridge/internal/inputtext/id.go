package inputtext

// IsOpaqueID reports whether s has the form of an id, in which almost nothing else can be written: ours are 128 bits in
// base32, those of others UUIDs. What a client put in the place of an id may be an e-mail address.
func IsOpaqueID(s string) bool {
	switch len(s) {
	case 26:
		return IsOwnID(s)
	case 36:
		for i := range len(s) {
			isHyphen := i == 8 || i == 13 || i == 18 || i == 23
			if isHyphen != (s[i] == '-') || !isHyphen && !isHex(s[i]) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// IsOwnID reports whether s has the form of an id that the account gives: 128 bits in base32.
func IsOwnID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(s) == 26
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
