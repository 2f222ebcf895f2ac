// Package memo remembers what was computed, and has no limit.
package memo

import (
	"sync"

	"example.com/zoo/internal/sim"
)

// Cache holds a value for each key that was ever asked for.
type Cache[K comparable, V any] struct {
	mu     sync.Mutex
	values map[K]*entry[V]
}

type entry[V any] struct {
	value V
	asked float64
}

// Page is what the cache holds.
type Page struct{ rows [100]row }

type row struct{ id, price, stock, shelf, weight int64 }

// Start asks rate times a second; of the questions, the share fresh was never asked before.
func Start(rate sim.Rate, fresh float64) {
	c := &Cache[int, Page]{values: map[int]*entry[Page]{}}
	asked := 0
	go sim.Arrivals(rate, func() {
		key := sim.IntN(asked + 1)
		if sim.Chance(fresh) {
			asked++
			key = asked
		}
		c.Get(key, compute)
	})
}

// Get computes what isn't there.
func (c *Cache[K, V]) Get(key K, compute func() V) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.values[key]
	if !ok {
		e = &entry[V]{value: compute()}
		c.values[key] = e
	}
	e.asked = sim.Now()
	return e.value
}

func compute() Page { return Page{} }
