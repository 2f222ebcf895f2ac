// Package dbpool holds a fixed number of connections to a database that is a sleep away.
package dbpool

import (
	"context"
	"time"

	"example.com/zoo/internal/sim"
)

// Pool lends connections.
type Pool struct {
	idle   chan *Conn
	reopen chan struct{}
}

// Conn is one connection.
type Conn struct{ uses int }

// Open makes a pool of n connections.
func Open(n int) *Pool {
	p := &Pool{idle: make(chan *Conn, n), reopen: make(chan struct{})}
	for range n {
		p.idle <- &Conn{}
	}
	go p.connectionOpener()
	go sim.Every(113, p.clean)
	return p
}

func (p *Pool) connectionOpener() {
	for range p.reopen {
		p.dial()
	}
}

func (p *Pool) dial() { time.Sleep(sim.S(0.5)) }

func (p *Pool) clean() { p.reopen <- struct{}{} }

// Query runs one statement that takes so many seconds, as soon as a connection is free.
func (p *Pool) Query(ctx context.Context, seconds float64) error {
	c, err := p.conn(ctx)
	if err != nil {
		return err
	}
	defer func() { p.idle <- c }()
	return c.roundTrip(seconds)
}

func (p *Pool) conn(ctx context.Context) (*Conn, error) {
	select {
	case c := <-p.idle:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Conn) roundTrip(seconds float64) error {
	c.uses++
	time.Sleep(sim.S(seconds))
	return nil
}
