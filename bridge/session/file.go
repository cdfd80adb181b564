package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// FileError says why the file that a setting names cannot be used. The value
// is repeated only if it cannot be anything but a path: people put the secret
// itself where the name of its file is asked for, and errors end in logs.
func FileError(setting, value string, err error) error {
	switch {
	case strings.Trim(value, `"'`) != value:
		return fmt.Errorf("%s is in quotes: write it without them", setting)
	case Misplaced(value):
		return fmt.Errorf("%s holds a secret or some other text: write that into a file that only its owner can "+
			"read, and name the file", setting)
	case !IsPath(value) && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s names a file that does not exist; if it holds the secret itself, write that into a "+
			"file and name the file", setting)
	case !IsPath(value):
		return fmt.Errorf("%s names a file that cannot be read: %w", setting, durable.Reason(err))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no file %q", setting, value)
	default:
		return fmt.Errorf("%s: the file %q cannot be read: %w", setting, value, durable.Reason(err))
	}
}

// Misplaced reports whether value is a secret or some other text, given where
// the name of a file or folder is expected.
func Misplaced(value string) bool {
	_, sealed := Sealed(value)
	return sealed || Scrub(value) != value || Mistake(value) != ""
}

// IsPath reports whether value can only be the name of a file: it is one, or
// it ends as names of files do, or it names a folder that exists, other than the root.
func IsPath(value string) bool {
	if _, err := os.Lstat(value); err == nil {
		return true
	}
	if Scrub(value) != value || len(filepath.Base(value)) > 64 {
		return false
	}
	if fileExtension.MatchString(value) {
		return true
	}
	folder := filepath.Dir(value)
	if !strings.ContainsRune(value, filepath.Separator) || folder == "/" {
		return false
	}
	info, err := os.Stat(folder)
	return err == nil && info.IsDir()
}

var fileExtension = regexp.MustCompile(`^[\w/.~-]*\w\.[a-z][a-z0-9]{0,7}$`)
