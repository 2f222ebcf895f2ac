// Package batch starts many workers at once; they end one after the other.
package batch

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Run is one night's work, so to speak.
type Run struct{ end float64 }

// Start runs n workers each period seconds from first on; the last of them ends after length seconds.
func Start(n int, first, period, length float64) {
	go func() {
		for begin := first; ; begin += period {
			time.Sleep(sim.Until(begin))
			for i := range n {
				r := &Run{begin + length*float64(i+1)/float64(n)*sim.Uniform(0.9, 1)}
				go r.worker()
			}
		}
	}()
}

func (r *Run) worker() {
	for sim.Now() < r.end {
		r.fetch()
		r.reduce()
	}
}

func (r *Run) fetch() { time.Sleep(sim.S(10 + sim.Exp(20))) }

func (r *Run) reduce() { time.Sleep(sim.S(sim.Exp(4))) }
