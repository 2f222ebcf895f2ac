// Package votes waits for a quorum, without a deadline.
package votes

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Quorum counts votes of one round.
type Quorum struct {
	yes, no chan int
	need    int
}

// Start holds rounds rate times a second, and split ones, which never reach a quorum.
func Start(rate, split sim.Rate) {
	go sim.Arrivals(rate, func() { hold(3) })
	go sim.Arrivals(split, func() { hold(1) })
}

func hold(voters int) {
	q := &Quorum{make(chan int, 3), make(chan int, 3), 2}
	for range voters {
		go q.vote()
	}
	go q.collect()
}

func (q *Quorum) vote() {
	time.Sleep(sim.S(sim.Exp(2.5)))
	q.yes <- 1
}

func (q *Quorum) collect() bool {
	yes, no := 0, 0
	for yes < q.need && no < q.need {
		select {
		case <-q.yes:
			yes++
		case <-q.no:
			no++
		}
	}
	return yes >= q.need
}
