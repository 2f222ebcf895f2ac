//go:build next

package main

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// auditor is what the next release brings: code that moves every address after it.
type auditor struct {
	mu   sync.Mutex
	seen map[string]int
}

func init() {
	releaseExtras = func() {
		a := &auditor{seen: map[string]int{}}
		go sim.Every(30, a.sweep)
		go a.report()
	}
}

func (a *auditor) sweep() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen["sweep"]++
	time.Sleep(sim.S(2))
}

func (a *auditor) report() {
	for {
		time.Sleep(sim.S(sim.Uniform(50, 70)))
		a.mu.Lock()
		clear(a.seen)
		a.mu.Unlock()
	}
}
