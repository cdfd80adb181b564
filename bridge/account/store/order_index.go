package store

import "context"

// The order index (table people_counts) counts people in blocks of positions in
// the order of creation, and in larger blocks of those. With it the person at
// any place in the order, and the number of people, are found without reading
// over all others.
const (
	blockSize   = 64 // positions in the smallest block, and blocks in a larger one
	blockLevels = 3
)

// updateOrderIndex counts a person that was inserted (1) or deleted (-1).
func (tx *Tx) updateOrderIndex(ctx context.Context, position, delta int64) error {
	size := int64(1)
	var args []any
	for level := range blockLevels {
		size *= blockSize
		args = append(args, level+1, position/size, delta)
	}
	_, err := tx.Exec(ctx, `INSERT INTO people_counts (level, block, people) VALUES (?, ?, ?), (?, ?, ?), (?, ?, ?)
		ON CONFLICT (level, block) DO UPDATE SET people = people_counts.people + excluded.people`, args...)
	return err
}

// countPeople returns how many people there are.
func (tx *Tx) countPeople(ctx context.Context) (n int64, err error) {
	err = tx.QueryRow(ctx, `SELECT COALESCE(sum(people), 0) FROM people_counts WHERE level = ?`, blockLevels).Scan(&n)
	return n, err
}

// pageOfPeople returns people in the order of creation, from behind the first
// offset of them, and how many there are in all.
func (tx *Tx) pageOfPeople(ctx context.Context, offset int64, limit int) (total int64, people []Person, err error) {
	if total, err = tx.countPeople(ctx); err != nil || offset >= total {
		return total, nil, err
	}
	first := offset
	block := int64(0) // of the level above
	blocks := int64(1) << 62
	for level := blockLevels; level > 0; level-- {
		type count struct{ block, people int64 }
		counts, err := All(ctx, tx, func(row Scanner) (c count, err error) { return c, row.Scan(&c.block, &c.people) },
			`SELECT block, people FROM people_counts WHERE level = ? AND block BETWEEN ? AND ? ORDER BY block`,
			level, block, block+blocks-1)
		if err != nil {
			return 0, nil, err
		}
		for _, c := range counts {
			if block = c.block; offset < c.people {
				break
			}
			offset -= c.people
		}
		block, blocks = block*blockSize, blockSize
	}
	people, err = tx.people(ctx, int(min(int64(limit), total-first)), `SELECT `+personColumns+` FROM people p
		WHERE p.position >= ? ORDER BY p.position LIMIT ? OFFSET ?`, block, limit, offset)
	return total, people, err
}
