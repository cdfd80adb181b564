package people

// pageSize is the account's maximum page size.
const pageSize = 1000

// readPages reads pages until the last one, or until it has limit items; 0 is no limit.
func readPages[T any](
	limit int, page func(cursor *string, size int) (items []T, next *string, err error),
) ([]T, error) {
	var all []T
	var cursor *string
	for {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-len(all))
		}
		items, next, err := page(cursor, size)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if next == nil || *next == "" || limit > 0 && len(all) >= limit {
			return all, nil
		}
		cursor = next
	}
}
