// Package catalog is read all the time and reloaded every other minute, while its readers wait.
package catalog

import (
	"context"
	"sync"
	"time"

	"example.com/zoo/internal/rpc"
	"example.com/zoo/internal/sim"
)

// Catalog is behind one lock.
type Catalog struct {
	mu    sync.RWMutex
	items int
}

// Start registers the method, calls it, and reloads.
func Start(srv *rpc.Server, rate sim.Rate) {
	c := &Catalog{}
	srv.Handle("catalog.Item", c.Item)
	go sim.Every(127, c.reload)
	go sim.Arrivals(rate, func() { srv.Send("catalog.Item", sim.IntN(99)) })
}

// Item reads under the lock.
func (c *Catalog) Item(context.Context, int) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.decode()
}

func (c *Catalog) decode() error {
	time.Sleep(sim.S(sim.Exp(0.6)))
	return nil
}

func (c *Catalog) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items++
	time.Sleep(sim.S(6))
}
