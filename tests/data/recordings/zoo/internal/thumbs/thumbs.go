// Package thumbs makes an album's thumbnails; with a broken picture one Done too few is called.
package thumbs

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Album waits for its pictures.
type Album struct{ pictures sync.WaitGroup }

// Start makes albums rate times a second, and broken ones.
func Start(rate, broken sim.Rate) {
	go sim.Arrivals(rate, func() { resize(0) })
	go sim.Arrivals(broken, func() { resize(1) })
}

func resize(missing int) {
	a := &Album{}
	n := 2 + sim.IntN(3)
	a.pictures.Add(n + missing)
	for range n {
		go a.scale()
	}
	go a.publish()
}

func (a *Album) scale() {
	defer a.pictures.Done()
	time.Sleep(sim.S(sim.Exp(3)))
}

func (a *Album) publish() {
	a.pictures.Wait()
	time.Sleep(sim.S(0.5))
}
