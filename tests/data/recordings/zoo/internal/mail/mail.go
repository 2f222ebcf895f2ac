// Package mail has an outbox, some workers, and retries by timer.
package mail

import (
	"time"

	"example.com/zoo/internal/sim"
)

type letter struct{ tries int }

// Outbox keeps what is to be sent.
type Outbox struct{ letters chan letter }

// Start runs so many workers and submits letters.
func Start(workers int, rate sim.Rate) {
	o := &Outbox{letters: make(chan letter, 4)}
	for range workers {
		go o.worker()
	}
	go sim.Every(47, o.flush)
	go sim.Arrivals(rate, func() { go o.Submit(letter{}) })
}

// Submit waits until the outbox has room.
func (o *Outbox) Submit(l letter) { o.letters <- l }

func (o *Outbox) worker() {
	for l := range o.letters {
		o.deliver(l)
	}
}

func (o *Outbox) deliver(l letter) {
	time.Sleep(sim.S(sim.Exp(1.2)))
	if l.tries < 2 && sim.Chance(0.1) {
		time.AfterFunc(sim.S(30), func() { o.Submit(letter{l.tries + 1}) })
	}
}

func (o *Outbox) flush() { time.Sleep(sim.S(1.5)) }
