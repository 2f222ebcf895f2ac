// Package render has a fixed number of workers, each on a thread of its own, and replaces each after some time.
package render

import (
	"runtime"
	"time"

	"example.com/zoo/internal/sim"
)

// Start keeps so many workers, which live for about the given seconds.
func Start(workers int, lifetime float64) {
	for range workers {
		go keep(lifetime)
	}
}

func keep(lifetime float64) {
	for {
		done := make(chan struct{})
		go work(sim.LogNormal(lifetime, 0.6), done)
		<-done
	}
}

func work(lifetime float64, done chan<- struct{}) {
	runtime.LockOSThread() // the thread ends with the worker, and all that its library has kept there
	defer close(done)
	for end := sim.Now() + lifetime; sim.Now() < end; {
		time.Sleep(sim.S(sim.Exp(5)))
	}
}
