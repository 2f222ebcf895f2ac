// Package idle keeps connections that nobody uses any more, until a reaper comes round.
package idle

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Table has what the next reaping ends.
type Table struct {
	mu    sync.Mutex
	conns []*Conn
}

// Conn waits for a request that doesn't come.
type Conn struct{ requests chan int }

// Start opens connections rate times a second and reaps all idle ones each period seconds.
func Start(rate sim.Rate, period, phase float64) {
	t := &Table{}
	go t.reap(period, phase)
	go sim.Arrivals(rate, func() { t.keep() })
}

func (t *Table) keep() {
	c := &Conn{make(chan int)}
	t.mu.Lock()
	t.conns = append(t.conns, c)
	t.mu.Unlock()
	go c.serve()
	go c.use(1 + sim.IntN(4))
}

func (c *Conn) serve() {
	for range c.requests {
		c.answer()
	}
}

func (c *Conn) answer() { time.Sleep(sim.S(sim.Exp(1))) }

func (c *Conn) use(times int) {
	for range times {
		time.Sleep(sim.S(sim.Exp(6)))
		c.requests <- 1
	}
}

// reap spares the connections of the last minute: they may still be in use.
func (t *Table) reap(period, phase float64) {
	const spare = 60.0
	for next := phase; ; next += period {
		time.Sleep(sim.Until(next - spare))
		t.mu.Lock()
		old := t.conns
		t.conns = nil
		t.mu.Unlock()
		time.Sleep(sim.Until(next))
		for _, c := range old {
			close(c.requests)
		}
	}
}
