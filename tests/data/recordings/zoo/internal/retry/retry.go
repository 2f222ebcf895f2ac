// Package retry waits for a receipt. Some come very late, most of those that are late never.
package retry

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Delivery is one message under way.
type Delivery struct {
	receipt chan struct{}
	giveUp  chan struct{} // nobody ever closes it
}

// Start delivers rate times a second with a quick receipt, and slow times with one that comes within 5 to 20
// minutes for the part returns, and never for the others.
func Start(rate, slow sim.Rate, returns float64) {
	go sim.Arrivals(rate, func() { deliver(sim.Exp(3)) })
	go sim.Arrivals(slow, func() {
		if sim.Chance(returns) {
			deliver(sim.Uniform(300, 1200))
		} else {
			deliver(0)
		}
	})
}

func deliver(receiptAfter float64) {
	d := &Delivery{make(chan struct{}), make(chan struct{})}
	go d.await()
	if receiptAfter > 0 {
		time.AfterFunc(sim.S(receiptAfter), func() { close(d.receipt) })
	}
}

func (d *Delivery) await() {
	select {
	case <-d.receipt:
	case <-d.giveUp:
	}
}
