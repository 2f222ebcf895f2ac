// Package lru is a cache with an end: when it is full, what was asked for least lately goes.
package lru

import (
	"container/list"
	"sync"

	"example.com/zoo/internal/sim"
)

// Cache holds up to size documents.
type Cache struct {
	mu    sync.Mutex
	size  int
	order *list.List
	byKey map[int]*list.Element
}

type document struct {
	key  int
	text []byte
}

// Start asks rate times a second for one of so many documents, where the cache has room for size.
func Start(rate sim.Rate, documents, size int) {
	c := &Cache{size: size, order: list.New(), byKey: map[int]*list.Element{}}
	go sim.Arrivals(rate, func() { c.Get(sim.IntN(documents)) })
}

// Get loads what isn't there.
func (c *Cache) Get(key int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.MoveToFront(e)
		return e.Value.(*document).text
	}
	d := load(key)
	c.byKey[key] = c.order.PushFront(d)
	if c.order.Len() > c.size {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.byKey, oldest.Value.(*document).key)
	}
	return d.text
}

func load(key int) *document {
	return &document{key: key, text: make([]byte, 4<<10+sim.IntN(8<<10))}
}
