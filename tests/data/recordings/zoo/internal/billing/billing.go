// Package billing settles invoices and waits for the bank's confirmation, which a bug sends to the wrong channel.
package billing

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Invoicer settles.
type Invoicer struct{}

// Start settles rate times a second, and misrouted times without a confirmation.
func Start(rate, misrouted sim.Rate) {
	i := &Invoicer{}
	go sim.Arrivals(rate, func() { i.settle(i.bank) })
	go sim.Arrivals(misrouted, func() { i.settle(i.wrongBank) })
}

func (i *Invoicer) settle(bank func(chan<- bool)) {
	confirmed := make(chan bool, 1)
	go func() {
		bank(confirmed)
		if <-confirmed {
			i.archive()
		}
	}()
}

func (i *Invoicer) bank(confirmed chan<- bool) {
	time.Sleep(sim.S(sim.Exp(2)))
	confirmed <- true
}

func (i *Invoicer) wrongBank(chan<- bool) { time.Sleep(sim.S(sim.Exp(2))) }

func (i *Invoicer) archive() { time.Sleep(sim.S(0.5)) }
