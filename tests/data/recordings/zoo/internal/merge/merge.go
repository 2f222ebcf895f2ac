// Package merge joins sorted streams. A reader that stops early without cancelling leaves the merger behind.
package merge

import (
	"cmp"
	"time"

	"example.com/zoo/internal/sim"
)

// Sorted sends the values of both inputs in order until both end or stop is closed.
func Sorted[T cmp.Ordered](a, b <-chan T, stop <-chan struct{}) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		va, oka := <-a
		vb, okb := <-b
		for oka || okb {
			next := &va
			if !oka || okb && vb < va {
				next = &vb
			}
			select {
			case out <- *next:
			case <-stop:
				return
			}
			if next == &va {
				va, oka = <-a
			} else {
				vb, okb = <-b
			}
		}
	}()
	return out
}

// Start merges rate times a second and reads all; abandoned times it reads but the first value, and stops nothing.
func Start(rate, abandoned sim.Rate) {
	go sim.Arrivals(rate, func() { go scroll() })
	go sim.Arrivals(abandoned, func() { go peek() })
}

func scroll() {
	for range Sorted(page(1), page(2), make(chan struct{})) {
		time.Sleep(sim.S(sim.Exp(0.8)))
	}
}

func peek() string {
	return <-Sorted(titles("a", "c"), titles("b", "d"), nil)
}

func page(from int) <-chan int {
	out := make(chan int, 6)
	for i := range cap(out) {
		out <- from + 2*i
	}
	close(out)
	return out
}

func titles(all ...string) <-chan string {
	out := make(chan string, len(all))
	for _, t := range all {
		out <- t
	}
	close(out)
	return out
}
