package keptlog

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestATimeHasTheFormOfTheLog(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, ns := range []int64{0, 1, 999_999, 1_000_000, 999_999_999, random.Int64N(1e9)} {
		for range 1000 {
			at := time.Unix(random.Int64N(8e9), ns).UTC()
			if got, want := string(appendTime([]byte("x"), at)), "x"+at.Format(timeForm); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	}
}
