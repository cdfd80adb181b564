package docker

import "testing"

func TestWhatIsCarriedOver(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		kept, key bool
	}{
		{"events-20261129T110000.000000000Z-abcdefgh.jsonl", true, false},
		{"reads-20261129T110000.000000000Z-abcdefgh.jsonl", true, false},
		{"scim-bridge-20261129T110000.000000000Z-abcdefgh.log", true, false},
		{"key", false, true},
		{"notes.txt", false, false},
		{"below/events-x.jsonl", false, false},
		{"", false, false},
	} {
		if isKept(row.name) != row.kept || isKey(row.name) != row.key ||
			isKeptOrKey(row.name) != (row.kept || row.key) {
			t.Errorf("%q: kept %t, key %t", row.name, isKept(row.name), isKey(row.name))
		}
	}
}
