// Package intake is a queue that is just as busy as it can bear: its producers wait, now fewer, now more, and
// the last ones are turned away.
package intake

import (
	"sync/atomic"

	"example.com/zoo/internal/sim"
)

// Queue hands over without a buffer.
type Queue struct {
	items   chan int
	waiting atomic.Int64
	most    int64
}

// Start offers and takes rate items a second, each at random; at most so many producers wait, and begin do at first.
func Start(rate sim.Rate, begin int, most int64) {
	q := &Queue{items: make(chan int), most: most}
	for range begin {
		go q.put(1)
	}
	go sim.Arrivals(rate, func() { go q.put(1) })
	go sim.Arrivals(rate, q.take)
}

func (q *Queue) put(item int) {
	if q.waiting.Add(1) > q.most {
		q.waiting.Add(-1)
		return
	}
	q.items <- item
	q.waiting.Add(-1)
}

func (q *Queue) take() {
	select {
	case <-q.items:
	default: // nothing to do
	}
}
