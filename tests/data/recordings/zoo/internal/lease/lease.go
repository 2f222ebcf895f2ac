// Package lease renews a lease until its context ends. Some callers lose the cancel function. The parent
// context is of our own making, so that the context package, too, needs a goroutine for each child.
package lease

import (
	"context"
	"time"

	"example.com/zoo/internal/sim"
)

// request is a context that a middleware wrapped, with a done channel of its own.
type request struct {
	context.Context
	hangup chan struct{}
}

func (r *request) Done() <-chan struct{} { return r.hangup }

// Lease is held while it is renewed.
type Lease struct{ cancel context.CancelFunc }

// Start takes leases for half a minute, rate times a second, and lost times for ever.
func Start(rate, lost sim.Rate) {
	go sim.Arrivals(rate, func() {
		l := acquire(&request{context.Background(), make(chan struct{})})
		time.AfterFunc(sim.S(sim.Exp(30)), l.cancel)
	})
	go sim.Arrivals(lost, func() { acquire(&request{context.Background(), make(chan struct{})}) })
}

func acquire(parent context.Context) *Lease {
	ctx, cancel := context.WithCancel(parent)
	l := &Lease{cancel}
	go l.keep(ctx)
	return l
}

func (l *Lease) keep(ctx context.Context) {
	renew := time.NewTicker(sim.S(40))
	defer renew.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
		}
	}
}
