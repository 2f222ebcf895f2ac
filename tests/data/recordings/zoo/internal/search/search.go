// Package search is served over real HTTP: scatter to some indexes, take what came in time.
package search

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/zoo/internal/sim"
)

type hits struct{ index, n int }

// Engine asks its indexes.
type Engine struct{ indexes int }

// Start serves /search and asks it, rate times a second, through a client with a pool of connections.
func Start(mux *http.ServeMux, base string, rate sim.Rate) {
	e := &Engine{indexes: 3}
	mux.Handle("/search", e.traced(http.HandlerFunc(e.ServeSearch)))
	c := &client{base: base, http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: sim.S(90)}}}
	go sim.Arrivals(rate, func() { go c.ask(sim.IntN(100)) })
}

func (e *Engine) traced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Trace", "1")
		next.ServeHTTP(w, r)
	})
}

// ServeSearch answers one query.
func (e *Engine) ServeSearch(w http.ResponseWriter, r *http.Request) {
	n := e.scatter(r.Context())
	fmt.Fprintf(w, "%d hits\n", n)
}

func (e *Engine) scatter(ctx context.Context) int {
	found := make(chan hits, e.indexes) // room for all: a late one need not wait for a reader
	for i := range e.indexes {
		go func() { found <- e.query(i) }()
	}
	deadline := time.NewTimer(sim.S(4))
	defer deadline.Stop()
	sum := 0
	for range e.indexes {
		select {
		case h := <-found:
			sum += h.n
		case <-deadline.C:
			return sum
		case <-ctx.Done():
			return 0
		}
	}
	return sum
}

func (e *Engine) query(i int) hits {
	time.Sleep(sim.S(0.3 + sim.Exp(0.8)))
	return hits{i, sim.IntN(50)}
}

type client struct {
	base string
	http http.Client
}

func (c *client) ask(q int) {
	resp, err := c.http.Get(fmt.Sprintf("%s/search?q=%d", c.base, q))
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}
