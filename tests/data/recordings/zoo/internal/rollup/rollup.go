// Package rollup collects samples until it is time to write them out, all at once.
package rollup

import (
	"sync"

	"example.com/zoo/internal/sim"
)

// Batch is what has come since the last time.
type Batch struct {
	mu      sync.Mutex
	samples []*sample
}

type sample struct {
	at     float64
	values [126]float64
}

// Start takes samples, rate times a second, and drops them every period seconds.
func Start(rate sim.Rate, period float64) {
	b := &Batch{}
	go sim.Arrivals(rate, b.add)
	go sim.Every(period, b.flush)
}

func (b *Batch) add() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.samples = append(b.samples, &sample{at: sim.Now()})
}

func (b *Batch) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.samples = nil
}
