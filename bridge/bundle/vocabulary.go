package bundle

import (
	"embed"
	"io/fs"
	"strings"
	"sync"
	"syscall"
)

// vocabularyFiles are lists of words that a bundle may have in clear. own.txt and go.txt are written by
// `go run ./internal/words/collect`, others.txt by hand.
//
//go:embed vocabulary
var vocabularyFiles embed.FS

// vocabulary returns the words that a bundle may have in clear, in the case in which they may be there.
var vocabulary = sync.OnceValue(func() map[string]bool {
	words := make(map[string]bool, 8192)
	_ = fs.WalkDir(vocabularyFiles, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, _ := vocabularyFiles.ReadFile(path) // it is compiled in
			for word := range strings.FieldsSeq(string(text)) {
				words[word] = true
			}
		}
		return err
	})
	for n := syscall.Errno(1); n < maxErrno; n++ { // what the system says of files and connections
		eachWord(n.Error(), func(word string) { words[word] = true })
	}
	return words
})

const maxErrno = 134
