// Package shells has sessions that wait for their turn on a condition, and leave when their time is over.
package shells

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Shell is one session.
type Shell struct {
	mu     sync.Mutex
	input  *sync.Cond
	lines  int
	closed bool
}

// Start opens shells rate times a second, for lifetime seconds on average.
func Start(rate sim.Rate, lifetime float64) {
	go sim.Arrivals(rate, func() { open(sim.Exp(lifetime)) })
}

func open(seconds float64) {
	s := &Shell{}
	s.input = sync.NewCond(&s.mu)
	go s.loop()
	go s.typist(seconds)
}

func (s *Shell) loop() {
	for s.next() {
		s.run()
	}
}

func (s *Shell) next() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.lines == 0 && !s.closed {
		s.input.Wait()
	}
	s.lines = 0
	return !s.closed
}

func (s *Shell) run() { time.Sleep(sim.S(sim.Exp(2))) }

func (s *Shell) typist(seconds float64) {
	end := sim.Now() + seconds
	for left := seconds; left > 0; left = end - sim.Now() {
		time.Sleep(sim.S(min(left, 10+sim.Exp(80))))
		s.enter(false)
	}
	s.enter(true)
}

func (s *Shell) enter(last bool) {
	s.mu.Lock()
	s.lines++
	s.closed = last
	s.mu.Unlock()
	s.input.Signal()
}
