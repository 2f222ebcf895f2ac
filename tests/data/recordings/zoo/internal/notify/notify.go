// Package notify tells every listener; from some moment on its listeners are gone, and nobody told the hub.
package notify

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Hub has a listener per device.
type Hub struct{}

// Start tells rate devices a second, and deaf more that don't listen.
func Start(rate, deaf sim.Rate) {
	h := &Hub{}
	go sim.Arrivals(rate, func() { h.Tell(true) })
	go sim.Arrivals(deaf, func() { h.Tell(false) })
}

// Tell doesn't wait for the device.
func (h *Hub) Tell(listens bool) {
	device := make(chan string)
	go func() {
		device <- "new mail"
	}()
	if listens {
		go h.listen(device)
	}
}

func (h *Hub) listen(device <-chan string) {
	time.Sleep(sim.S(sim.Exp(2)))
	<-device
}
