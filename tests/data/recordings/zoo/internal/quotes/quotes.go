// Package quotes asks a market maker and waits for its answer. One path of the maker's forgets to answer.
package quotes

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Desk asks for prices.
type Desk struct{ lost float64 }

// Start asks rate times a second; of the answers the part lost never comes.
func Start(rate sim.Rate, lost float64) {
	d := &Desk{lost}
	go sim.Arrivals(rate, func() { go d.quote() })
}

func (d *Desk) quote() {
	reply := make(chan float64)
	go d.askMaker(reply)
	d.await(reply)
}

func (d *Desk) await(reply <-chan float64) float64 { return <-reply }

func (d *Desk) askMaker(reply chan<- float64) {
	time.Sleep(sim.S(20 + sim.Exp(40)))
	if sim.Chance(d.lost) {
		return
	}
	reply <- sim.Uniform(90, 110)
}
