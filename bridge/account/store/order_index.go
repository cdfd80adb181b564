package store

import (
	"context"
	"errors"
	"fmt"
)

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
	return tx.Send(ctx, `INSERT INTO people_counts (level, block, people) VALUES (?, ?, ?), (?, ?, ?), (?, ?, ?)
		ON CONFLICT (level, block) DO UPDATE SET people = people_counts.people + excluded.people`, args...)
}

// countPeople returns how many people there are.
func (tx *Tx) countPeople(ctx context.Context) (n int64, err error) {
	err = tx.QueryRow(ctx, `SELECT COALESCE(sum(people), 0) FROM people_counts WHERE level = ?`, blockLevels).Scan(&n)
	return n, err
}

// pageOfPeople returns people in the order of creation, from behind the first
// offset of them, and how many there are in all.
func (tx *Tx) pageOfPeople(ctx context.Context, offset int64, limit int) (total int64, people []Person, err error) {
	find := tx.placeByLevel
	if tx.store.engine.dialect().windows {
		find = tx.placeAtOnce
	}
	total, block, rest, err := find(ctx, offset)
	if err != nil || offset >= total {
		return total, nil, err
	}
	people, err = tx.people(ctx, int(min(int64(limit), total-offset)), `SELECT `+personColumns+` FROM people p
		WHERE p.position >= ? ORDER BY p.position LIMIT ? OFFSET ?`, block*blockSize, limit, rest)
	return total, people, err
}

// placeByLevel returns how many people there are in all, the smallest block that has the person behind the first
// offset, and how many in it are before that person. It goes from the largest blocks down.
func (tx *Tx) placeByLevel(ctx context.Context, offset int64) (total, block, rest int64, err error) {
	rest = offset
	first, blocks := int64(0), int64(1)<<62 // among which the block is
	for level := blockLevels; level > 0; level-- {
		type count struct{ block, people int64 }
		counts, err := All(ctx, tx, func(row Scanner) (c count, err error) { return c, row.Scan(&c.block, &c.people) },
			`SELECT block, people FROM people_counts WHERE level = ? AND block BETWEEN ? AND ? ORDER BY block`,
			level, first, first+blocks-1)
		if err != nil {
			return 0, 0, 0, err
		}
		if level == blockLevels {
			for _, c := range counts {
				total += c.people
			}
		}
		for _, c := range counts {
			if block = c.block; rest < c.people {
				break
			}
			rest -= c.people
		}
		first, blocks = block*blockSize, blockSize
	}
	return total, block, rest, nil
}

// placeAtOnce is placeByLevel with one statement, which takes SQLite several times as long.
func (tx *Tx) placeAtOnce(ctx context.Context, offset int64) (total, block, rest int64, err error) {
	err = tx.QueryRow(ctx, placeAtOnce, offset).Scan(&total, &block, &rest)
	if errors.Is(err, ErrNoRow) {
		err = nil
	}
	return total, block, rest, err
}

// placeAtOnce takes of each level the last block before which there are not more than the rest.
var placeAtOnce = func() string {
	find := func(above, blocks string, level int) string {
		return fmt.Sprintf(` AS (SELECT block, rest - before AS rest FROM (
			SELECT c.block, rest, CAST(sum(people) OVER (ORDER BY c.block) AS BIGINT) - people AS before
				FROM %s AS above JOIN people_counts c ON level = %d AND c.block BETWEEN %s) AS counted
			WHERE before <= rest ORDER BY block DESC LIMIT 1)`, above, level, blocks)
	}
	within := fmt.Sprintf("above.block * %d AND above.block * %[1]d + %d", blockSize, blockSize-1)
	return `WITH large` + find("(SELECT ?1 AS rest)", "0 AND 9223372036854775807", 3) +
		`, middle` + find("large", within, 2) + `, small` + find("middle", within, 1) +
		` SELECT (SELECT sum(people) FROM people_counts WHERE level = 3), block, rest FROM small`
}()
