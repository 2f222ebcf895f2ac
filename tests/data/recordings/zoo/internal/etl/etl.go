// Package etl loads rows; a row that fails reports its error, and nobody reads the second one.
package etl

import (
	"errors"
	"time"

	"example.com/zoo/internal/sim"
)

var errRow = errors.New("bad row")

// Stage is one load of a few rows.
type Stage struct{ errs chan error }

// Start loads rate times a second; in the part bad of loads two rows fail.
func Start(rate sim.Rate, bad float64) {
	go sim.Arrivals(rate, func() { go load(sim.Chance(bad)) })
}

func load(bad bool) {
	s := &Stage{make(chan error)}
	const rows = 5
	for i := range rows {
		go s.insert(bad && i < 2)
	}
	for range rows {
		if err := <-s.errs; err != nil {
			return
		}
	}
}

func (s *Stage) insert(fails bool) {
	time.Sleep(sim.S(sim.Exp(1)))
	if fails {
		s.report(errRow)
		return
	}
	// Every row but the failed ones ends by itself, whether or not its load is still there.
	select {
	case s.errs <- nil:
	case <-time.After(sim.S(20)):
	}
}

func (s *Stage) report(err error) { s.errs <- err }
