package store

import (
	"context"
	"fmt"
)

// batchLimit bounds how many writes share a transaction, so that the first
// of them does not wait for all the others of a storm.
const batchLimit = 256

// A request is one call of Write on its way to the writer.
type request struct {
	// carryOut runs in the writer's transaction; fatal means that the whole
	// of it is lost.
	carryOut func(tx *Tx) (err, fatal error)
	answer   chan struct{} // closed when err is set
	err      error
}

// Write calls fn in a transaction and returns nil only after what fn wrote is
// on disk. An error from fn undoes what fn wrote, and is returned as it is.
//
// All writes that wait at the same time share one transaction, a savepoint
// each: many clients, one fsync. So fn should be quick, and must have no
// effect outside the transaction, because a failing commit undoes it. A Write
// or Read inside fn, with fn's context, joins the transaction.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if outer, ok := ctx.Value(txKey{s}).(*Tx); ok {
		return outer.nest(ctx, fn)
	}
	var panicked any
	r := &request{answer: make(chan struct{}), carryOut: func(tx *Tx) (err, fatal error) {
		if err := ctx.Err(); err != nil {
			return err, nil // the caller left while this waited
		}
		return tx.savepoint(ctx, func(ctx context.Context) error {
			// A panic is the caller's, not the writer's.
			return recovering(ctx, func(ctx context.Context) error { return fn(ctx, tx) }, &panicked)
		})
	}}
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
	// From here the outcome is certain and near; leaving early would only
	// hide it from the caller.
	<-r.answer
	if panicked != nil {
		panic(panicked)
	}
	return r.err
}

func (s *Store) writeLoop() {
	defer close(s.closed)
	for {
		select {
		case r := <-s.requests:
			s.writeBatch(r)
		case <-s.closing:
			return
		}
	}
}

// writeBatch carries out first and whatever waits behind it, commits, and
// answers them all.
func (s *Store) writeBatch(first *request) {
	batch, err := s.runBatch([]*request{first})
	err = s.writeError(err)
	for _, r := range batch {
		if r.err = s.writeError(r.err); r.err == nil {
			r.err = err
		}
	}
	for _, r := range batch {
		close(r.answer)
	}
}

// runBatch knows no context: SQLite answers the interruption of one statement
// by rolling back the whole transaction, the other callers' work included.
func (s *Store) runBatch(batch []*request) ([]*request, error) {
	tx, err := s.engine.begin(s)
	if err != nil {
		return batch, fmt.Errorf("beginning a transaction: %w", err)
	}
	var next *request // that shares the transaction, if one waits
	more := func() bool {
		if next == nil && len(batch) < batchLimit {
			select {
			case next = <-s.requests:
			default:
			}
		}
		return next != nil
	}
	alone := false
	tx.isAlone = func() bool {
		alone = len(batch) == 1 && !more()
		return alone
	}
	batch[0].err, err = batch[0].carryOut(tx)
	for err == nil && !alone && more() {
		r := next
		batch, next = append(batch, r), nil
		r.err, err = r.carryOut(tx)
	}
	if next != nil {
		batch = append(batch, next) // the transaction was lost before its turn
	}
	if err == nil {
		err = s.engine.check() // what goes to a file that is gone must not be acknowledged
	}
	if err == nil {
		if err = s.engine.commit(); err == nil {
			s.commits.Add(1)
			s.written.Add(int64(len(batch)))
			for _, fn := range tx.committed {
				fn()
			}
			return batch, nil
		}
	}
	s.engine.rollback()
	return batch, err
}
