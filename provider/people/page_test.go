package people

import (
	"errors"
	"slices"
	"strconv"
	"testing"
)

// pages serves the numbers below total, a hundred a page at most, and counts.
func pages(total int, asked *int) func(cursor *string, size int) ([]int, *string, error) {
	return func(cursor *string, size int) ([]int, *string, error) {
		*asked++
		from := 0
		if cursor != nil {
			from, _ = strconv.Atoi(*cursor)
		}
		to := min(from+min(size, 100), total)
		var items []int
		for i := from; i < to; i++ {
			items = append(items, i)
		}
		if to == total {
			return items, nil, nil
		}
		return items, new(strconv.Itoa(to)), nil
	}
}

func TestPagesAreGathered(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                      string
		total, limit, want, asked int
	}{
		{"nothing is one call", 0, 0, 0, 1},
		{"a page is one call", 100, 0, 100, 1},
		{"all pages are read", 250, 0, 250, 3},
		{"a limit ends the reading", 250, 120, 120, 2},
		{"a limit at the end of a page asks no further", 250, 100, 100, 1},
		{"a limit above all is no more than all", 50, 120, 50, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			got, err := readPages(row.limit, pages(row.total, &asked))
			if err != nil || len(got) != row.want || asked != row.asked {
				t.Fatalf("got %d items in %d calls, %v; want %d in %d", len(got), asked, err, row.want, row.asked)
			}
			if !slices.IsSorted(got) {
				t.Errorf("out of order: %v", got)
			}
		})
	}
	fault := errors.New("no")
	_, err := readPages(0, func(*string, int) ([]int, *string, error) { return nil, nil, fault })
	if !errors.Is(err, fault) {
		t.Errorf("got %v, want the fault", err)
	}
}
