// Package gate lets callers in by turns; a wake-up that is lost leaves its caller at the gate.
package gate

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Turnstile is one gate of many.
type Turnstile struct {
	mu   sync.Mutex
	turn *sync.Cond
	open bool
}

// Start passes gates rate times a second, and gates that never open lost times.
func Start(rate, lost sim.Rate) {
	go sim.Arrivals(rate, func() {
		t := newTurnstile()
		go t.pass()
		time.AfterFunc(sim.S(sim.Exp(8)), t.unlock)
	})
	go sim.Arrivals(lost, func() { go newTurnstile().pass() })
}

func newTurnstile() *Turnstile {
	t := &Turnstile{}
	t.turn = sync.NewCond(&t.mu)
	return t
}

func (t *Turnstile) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.open {
		t.turn.Wait()
	}
}

func (t *Turnstile) unlock() {
	t.mu.Lock()
	t.open = true
	t.mu.Unlock()
	t.turn.Broadcast()
}
