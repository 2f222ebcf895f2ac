// Package crew hires up to a number of workers, a new one every few seconds. Later it replaces workers that it
// takes for dead; they are not, and stay.
package crew

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Crew shares one queue.
type Crew struct {
	jobs chan int
	quit chan struct{}
}

// Start fills the crew to size within fill seconds; replaced more are hired later.
func Start(size int, fill float64, jobs, replaced sim.Rate) {
	c := &Crew{make(chan int), make(chan struct{})}
	go c.hire(size, fill/float64(size))
	go sim.Arrivals(jobs, func() {
		select {
		case c.jobs <- 1:
		default: // nobody is free
		}
	})
	go sim.Arrivals(replaced, func() { go c.work() })
}

func (c *Crew) hire(size int, pause float64) {
	for range size {
		go c.work()
		time.Sleep(sim.S(pause))
	}
}

func (c *Crew) work() {
	for {
		select {
		case <-c.jobs:
			c.do()
		case <-c.quit:
			return
		}
	}
}

func (c *Crew) do() { time.Sleep(sim.S(sim.Exp(4))) }
