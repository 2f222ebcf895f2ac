// Package autoscale adds a batch of workers whenever the load has been high for a while.
package autoscale

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Scaler feeds its workers from one channel.
type Scaler struct{ tasks chan int }

// Start begins with step workers and adds step more at each of the times.
func Start(step int, times []float64, rate sim.Rate) {
	s := &Scaler{make(chan int)}
	s.add(step)
	go func() {
		for _, t := range times {
			time.Sleep(sim.Until(t))
			s.add(step)
		}
	}()
	go sim.Arrivals(rate, func() {
		select {
		case s.tasks <- 1:
		default: // shed
		}
	})
}

func (s *Scaler) add(n int) {
	for range n {
		go s.worker()
	}
}

func (s *Scaler) worker() {
	for range s.tasks {
		s.process()
	}
}

func (s *Scaler) process() { time.Sleep(sim.S(sim.Exp(5))) }
