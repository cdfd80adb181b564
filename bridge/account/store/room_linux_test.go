package store

import (
	"math"
	"testing"
)

// A file system may have no number of blocks, such as one in memory without a bound: it is not full for that.
func TestTheRoomOfAFileSystemThatDoesNotTellIsNotKnown(t *testing.T) {
	t.Parallel()
	if free, known := freeBytes("/proc"); known {
		t.Errorf("it has %d bytes free", free)
	}
}

func TestTheRoomOfAFileSystemWithoutBoundIsNotNegative(t *testing.T) {
	t.Parallel()
	for _, blocks := range []int64{math.MaxInt64 / 4096, math.MaxInt64/4096 + 1, math.MaxInt64} {
		if free := bytesIn(blocks, 4096); free < 1<<60 {
			t.Errorf("%d blocks: %d bytes", blocks, free)
		}
	}
}
