// Package keycache keeps every key that is asked for fresh, in a goroutine of its own, until nobody has asked
// for a long time. Popular keys come first; the rare ones trickle in for hours.
package keycache

import (
	"math/rand/v2"
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Cache has an entry a key.
type Cache struct {
	mu      sync.Mutex
	entries map[uint64]*Entry
	ttl     float64
}

// Entry is refreshed while it is wanted.
type Entry struct {
	cache *Cache
	key   uint64
	asked float64
}

// Start asks rate times a second for one of so many keys, by Zipf's law.
func Start(rate sim.Rate, keys, seed uint64, ttl float64) {
	c := &Cache{entries: map[uint64]*Entry{}, ttl: ttl}
	popularity := rand.NewZipf(rand.New(rand.NewPCG(seed, 7)), 1.2, 2, keys-1)
	go sim.Arrivals(rate, func() { c.Get(popularity.Uint64()) })
}

// Get starts the key's refresher if there is none.
func (c *Cache) Get(key uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		e = &Entry{cache: c, key: key}
		c.entries[key] = e
		go e.refreshLoop()
	}
	e.asked = sim.Now()
}

func (e *Entry) refreshLoop() {
	tick := time.NewTicker(sim.S(sim.Uniform(60, 120)))
	defer tick.Stop()
	for range tick.C {
		if e.cache.expire(e) {
			return
		}
		e.load()
	}
}

func (c *Cache) expire(e *Entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sim.Now()-e.asked < c.ttl {
		return false
	}
	delete(c.entries, e.key)
	return true
}

func (e *Entry) load() { time.Sleep(sim.S(sim.Exp(1.5))) }
