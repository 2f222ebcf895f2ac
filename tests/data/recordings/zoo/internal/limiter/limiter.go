// Package limiter lets only so many in at once; the others wait on a condition.
package limiter

import (
	"context"
	"sync"
	"time"

	"example.com/zoo/internal/rpc"
	"example.com/zoo/internal/sim"
)

// Limiter counts who is in.
type Limiter struct {
	mu      sync.Mutex
	free    *sync.Cond
	in, cap int
}

// Start registers a method behind a limiter of the given capacity, and calls it.
func Start(srv *rpc.Server, capacity int, rate sim.Rate) {
	l := &Limiter{cap: capacity}
	l.free = sync.NewCond(&l.mu)
	srv.Handle("render.Page", l.wrap(render))
	go sim.Arrivals(rate, func() { srv.Send("render.Page", 0) })
}

func (l *Limiter) wrap(m rpc.Method) rpc.Method {
	return func(ctx context.Context, arg int) error {
		l.enter()
		defer l.leave()
		return m(ctx, arg)
	}
}

func (l *Limiter) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.in >= l.cap {
		l.free.Wait()
	}
	l.in++
}

func (l *Limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in--
	l.free.Signal()
}

func render(context.Context, int) error {
	time.Sleep(sim.S(0.5 + sim.Exp(1)))
	return nil
}
