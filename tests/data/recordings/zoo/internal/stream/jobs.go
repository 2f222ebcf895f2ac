package stream

import (
	"time"

	"example.com/zoo/internal/sim"
)

type click struct{ user int }

type visit struct {
	user  int
	score float64
}

// Start runs one pipeline for ever, and short ones as jobs, rate times a second.
func Start(rate sim.Rate) {
	clicks := make(chan click, 16)
	go sim.Arrivals(rate.Times(10), func() {
		select {
		case clicks <- click{sim.IntN(500)}:
		default: // a click more or less
		}
	})
	go Each(Batch(Map(clicks, enrich), 8), store)
	go sim.Arrivals(rate, func() { go reindex(5 + sim.IntN(15)) })
}

func enrich(c click) visit {
	time.Sleep(sim.S(0.05))
	return visit{c.user, sim.Uniform(0, 1)}
}

func store([]visit) { time.Sleep(sim.S(sim.Exp(0.5))) }

func reindex(n int) {
	ids := make(chan int)
	go func() {
		defer close(ids)
		for i := range n {
			ids <- i
		}
	}()
	docs := Map(ids, func(i int) string {
		time.Sleep(sim.S(0.4))
		return string(rune('a' + i%26))
	})
	Each(docs, func(string) { time.Sleep(sim.S(0.3)) })
}
