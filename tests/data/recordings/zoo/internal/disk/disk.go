// Package disk reads from a slow disk: each read holds a thread for as long as it takes.
package disk

import (
	"syscall"

	"example.com/zoo/internal/sim"
)

// Start reads rate times a second, and many files at once, bursts times a second.
func Start(rate, bursts sim.Rate) {
	go sim.Arrivals(rate, func() { go read() })
	go sim.Arrivals(bursts, func() {
		for range int(sim.Pareto(6, 1, 60)) {
			go read()
		}
	})
}

func read() {
	wait := syscall.NsecToTimespec(sim.S(sim.Uniform(3, 12)).Nanoseconds())
	_ = syscall.Nanosleep(&wait, nil)
}
