// Package rooms is a chat: members join, get messages and pings, and leave.
package rooms

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Member is in a room for a while.
type Member struct {
	inbox chan string
	leave chan struct{}
}

// Start lets members join rate times a second and stay for stay() seconds.
func Start(rate sim.Rate, stay func() float64) {
	go sim.Arrivals(rate, func() { join(stay()) })
}

func join(seconds float64) {
	m := &Member{make(chan string), make(chan struct{})}
	go m.listen()
	go m.speak()
	time.AfterFunc(sim.S(seconds), func() { close(m.leave) })
}

func (m *Member) listen() {
	ping := time.NewTicker(sim.S(sim.Uniform(90, 150)))
	defer ping.Stop()
	for {
		select {
		case <-m.inbox:
			m.show()
		case <-ping.C:
			m.pong()
		case <-m.leave:
			return
		}
	}
}

func (m *Member) speak() {
	for {
		select {
		case <-time.After(sim.S(60 + sim.Exp(300))):
		case <-m.leave:
			return
		}
		select {
		case m.inbox <- "hi":
		case <-m.leave:
			return
		}
	}
}

func (m *Member) show() { time.Sleep(sim.S(0.5)) }

func (m *Member) pong() { time.Sleep(sim.S(sim.Exp(0.6))) }
