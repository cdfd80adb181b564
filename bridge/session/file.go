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

// FileError returns the error for a setting whose file cannot be used. It quotes the
// value only if that can only be a path: operators sometimes set the secret itself
// instead of the name of its file, and errors are logged.
func FileError(setting, value string, err error) error {
	switch {
	case strings.Trim(value, `"'`) != value:
		return fmt.Errorf("%s is in quotes: write it without them", setting)
	case Misplaced(value):
		return fmt.Errorf("%s is a secret or other text instead of the name of a file: "+
			"write it to a file that only its owner can read, and set the file's name", setting)
	case !IsPath(value) && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s names a file that does not exist; if it is the secret itself, write that to a "+
			"file and set the file's name", setting)
	case !IsPath(value):
		return fmt.Errorf("%s names a file that cannot be read: %w", setting, durable.Reason(err))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no file %q", setting, value)
	default:
		return fmt.Errorf("%s: the file %q cannot be read: %w", setting, value, durable.Reason(err))
	}
}

// Misplaced reports whether value is a secret or other text instead of the name of a
// file or folder.
func Misplaced(value string) bool {
	_, sealed := Sealed(value)
	return sealed || Scrub(value) != value || Mistake(value) != ""
}

// IsPath reports whether value can only be a path: an existing file, a name with a
// usual extension, or an existing folder other than the root.
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
