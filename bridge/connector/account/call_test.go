package account

import (
	"bytes"
	"strings"
	"testing"
)

// Something else than an account may announce what it likes.
func TestAnAnswerTakesMemoryForWhatArrives(t *testing.T) {
	t.Parallel()
	text, err := readAll(strings.NewReader("{}"), 1<<62)
	if err != nil || string(text) != "{}" || cap(text) > 2<<20 {
		t.Errorf("%q in %d bytes, %v", text, cap(text), err)
	}
	large := bytes.Repeat([]byte("x"), 20<<20)
	if text, err := readAll(bytes.NewReader(large), int64(len(large))); err != nil || !bytes.Equal(text, large) {
		t.Errorf("%d of %d bytes arrived, %v", len(text), len(large), err)
	}
}
