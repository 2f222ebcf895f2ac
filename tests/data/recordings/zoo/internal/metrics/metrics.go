// Package metrics flushes counters: a loop a shard, one aggregator, one exporter.
package metrics

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Registry has its counters in shards.
type Registry struct {
	samples chan int
	export  chan int
}

// Start runs a flush loop for each of the shards.
func Start(shards int) {
	r := &Registry{samples: make(chan int), export: make(chan int, 1)}
	for i := range shards {
		go r.flushLoop(i)
	}
	go r.aggregate()
	go r.exportLoop()
}

func (r *Registry) flushLoop(shard int) {
	tick := time.NewTicker(sim.S(15 + float64(shard)))
	defer tick.Stop()
	for range tick.C {
		r.samples <- shard
	}
}

func (r *Registry) aggregate() {
	for n := range r.samples {
		select {
		case r.export <- n:
		default:
		}
	}
}

func (r *Registry) exportLoop() {
	for {
		<-r.export
		time.Sleep(sim.S(sim.Exp(4)))
	}
}
