// Package watch polls a resource in a loop until it is stopped. Some watchers are never stopped; they are
// alive, now asleep, now asking, now waiting for the next tick.
package watch

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Watcher follows one resource.
type Watcher struct {
	next *time.Ticker
	stop chan struct{}
}

// Start watches for two minutes, rate times a second, and forgotten times for ever.
func Start(rate, forgotten sim.Rate) {
	go sim.Arrivals(rate, func() {
		w := newWatcher()
		go w.follow()
		time.AfterFunc(sim.S(sim.Exp(120)), func() { close(w.stop) })
	})
	go sim.Arrivals(forgotten, func() { go newWatcher().follow() })
}

func newWatcher() *Watcher {
	return &Watcher{time.NewTicker(sim.S(25)), make(chan struct{})}
}

func (w *Watcher) follow() {
	defer w.next.Stop()
	for {
		time.Sleep(sim.S(sim.Uniform(6, 12)))
		w.ask()
		select {
		case <-w.next.C:
		case <-w.stop:
			return
		}
	}
}

func (w *Watcher) ask() { time.Sleep(sim.S(sim.Uniform(2, 8))) }
