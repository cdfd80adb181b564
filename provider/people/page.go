package people

// pageSize is the longest page that the account gives.
const pageSize = 1000

// gather reads pages until there are no more, or limit items; 0 is no limit.
func gather[T any](limit int, page func(cursor *string, size int) (items []T, next *string, err error)) ([]T, error) {
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
