// Package capture keeps a picture of everything that looks odd.
package capture

import "example.com/zoo/internal/sim"

// kept is looked at by nobody.
var kept [][]byte

// Start takes pictures, rate times a second, and of those that look odd keeps one: odd times a second.
func Start(rate, odd sim.Rate) {
	go sim.Arrivals(rate, func() { shoot() })
	go sim.Arrivals(odd, func() { kept = append(kept, shoot()) })
}

func shoot() []byte {
	picture := make([]byte, 64<<10)
	picture[0] = byte(sim.IntN(256))
	return picture
}
