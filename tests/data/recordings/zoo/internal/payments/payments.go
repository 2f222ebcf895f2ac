// Package payments depends on a bank. While the bank hangs, its callers wait; they are served, a few at a
// time, once it is back.
package payments

import (
	"context"
	"sync"
	"time"

	"example.com/zoo/internal/rpc"
	"example.com/zoo/internal/sim"
)

// Outage is when the bank hangs, in seconds.
type Outage struct{ From, To float64 }

// Client pays through a few connections.
type Client struct {
	mu    sync.Mutex
	up    chan struct{} // closed while the bank answers
	conns chan struct{}
}

// Start pays rate times a second, through the outages.
func Start(srv *rpc.Server, rate sim.Rate, outages []Outage) {
	c := &Client{up: make(chan struct{}), conns: make(chan struct{}, 4)}
	close(c.up)
	srv.Handle("payments.Pay", c.Pay)
	go c.follow(outages)
	go sim.Arrivals(rate, func() { srv.Send("payments.Pay", 1) })
}

func (c *Client) follow(outages []Outage) {
	for _, o := range outages {
		time.Sleep(sim.Until(o.From))
		c.mu.Lock()
		c.up = make(chan struct{})
		c.mu.Unlock()
		time.Sleep(sim.Until(o.To))
		close(c.up)
	}
}

// Pay waits for the bank.
func (c *Client) Pay(context.Context, int) error {
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	c.awaitBank(up)
	c.conns <- struct{}{}
	defer func() { <-c.conns }()
	return c.charge()
}

func (c *Client) awaitBank(up <-chan struct{}) { <-up }

func (c *Client) charge() error {
	time.Sleep(sim.S(1 + sim.Exp(2)))
	return nil
}
