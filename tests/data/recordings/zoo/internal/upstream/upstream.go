// Package upstream calls another service over HTTP, in bursts now and then; the client keeps idle connections
// for a minute and a half.
package upstream

import (
	"io"
	"net/http"
	"time"

	"example.com/zoo/internal/sim"
)

// Client has a large pool of connections.
type Client struct {
	base string
	http http.Client
}

// Start serves /stock, asks rate times a second, and in bursts of which some are a hundred times larger than others.
func Start(mux *http.ServeMux, base string, rate, bursts sim.Rate) {
	mux.HandleFunc("/stock", stock)
	c := &Client{base: base}
	c.http.Transport = &http.Transport{MaxIdleConns: 400, MaxIdleConnsPerHost: 400, IdleConnTimeout: sim.S(90)}
	go sim.Arrivals(rate, func() { go c.Stock() })
	go sim.Arrivals(bursts, func() {
		for range int(sim.Pareto(3, 0.9, 250)) {
			go c.Stock()
		}
	})
}

// Stock asks for one number.
func (c *Client) Stock() {
	resp, err := c.http.Get(c.base + "/stock")
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.ReadAll(resp.Body)
}

func stock(w http.ResponseWriter, _ *http.Request) {
	count()
	_, _ = io.WriteString(w, "7\n")
}

func count() { time.Sleep(sim.S(0.5 + sim.Exp(2))) }
