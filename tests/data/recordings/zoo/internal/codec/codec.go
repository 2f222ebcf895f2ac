// Package codec decodes with a library that wants to be called from one thread only, as many in C do.
package codec

import (
	"runtime"
	"time"

	"example.com/zoo/internal/sim"
)

// Session has a thread of its own.
type Session struct {
	frames chan int
	done   chan struct{}
}

// Start opens sessions, rate times a second, and those whose caller forgets to close them.
func Start(rate, forgotten sim.Rate) {
	go sim.Arrivals(rate, func() { go use(true) })
	go sim.Arrivals(forgotten, func() { go use(false) })
}

func use(closes bool) {
	s := &Session{frames: make(chan int), done: make(chan struct{})}
	go s.decode()
	for range 3 {
		s.frames <- 1
	}
	if closes {
		close(s.frames)
		<-s.done
	}
}

func (s *Session) decode() {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	defer close(s.done)
	for range s.frames {
		time.Sleep(sim.S(sim.Exp(2)))
	}
}
