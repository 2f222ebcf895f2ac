// Package pool starts a worker whenever none is free, up to its cap; none ever ends.
package pool

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Pool has its workers wait on a condition.
type Pool struct {
	mu     sync.Mutex
	wake   *sync.Cond
	queued int
}

// Start grows to size in fill seconds, evenly, and runs tasks rate times a second.
func Start(size int, fill float64, rate sim.Rate) {
	p := &Pool{}
	p.wake = sync.NewCond(&p.mu)
	go p.grow(size, fill/float64(size))
	go sim.Arrivals(rate, p.submit)
}

func (p *Pool) grow(size int, pause float64) {
	for range size {
		go p.worker()
		time.Sleep(sim.S(pause))
	}
}

func (p *Pool) submit() {
	p.mu.Lock()
	p.queued++
	p.mu.Unlock()
	p.wake.Signal()
}

func (p *Pool) worker() {
	for {
		p.take()
		p.run()
	}
}

func (p *Pool) take() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.queued == 0 {
		p.wake.Wait()
	}
	p.queued--
}

func (p *Pool) run() { time.Sleep(sim.S(sim.Exp(3))) }
