// Package lookup asks once for a key that many want at the same time.
package lookup

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

type flight struct{ landed chan struct{} }

// Group has the questions that are under way.
type Group struct {
	mu      sync.Mutex
	flights map[int]*flight
}

// Start asks for some keys, rate times a second.
func Start(rate sim.Rate) {
	g := &Group{flights: map[int]*flight{}}
	go sim.Arrivals(rate, func() { go g.Do(sim.IntN(12)) })
}

// Do waits for the key, whoever asks for it.
func (g *Group) Do(key int) {
	g.mu.Lock()
	if f, ok := g.flights[key]; ok {
		g.mu.Unlock()
		<-f.landed
		return
	}
	f := &flight{make(chan struct{})}
	g.flights[key] = f
	g.mu.Unlock()
	g.resolve()
	g.mu.Lock()
	delete(g.flights, key)
	g.mu.Unlock()
	close(f.landed)
}

func (g *Group) resolve() { time.Sleep(sim.S(0.5 + sim.Exp(3))) }
