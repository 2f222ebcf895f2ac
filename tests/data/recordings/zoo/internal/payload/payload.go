// Package payload is traffic that allocates: requests with bodies that live as long as the request does.
package payload

import (
	"bytes"
	"time"

	"example.com/zoo/internal/sim"
)

// Request is one upload on its way.
type Request struct {
	body  []byte
	parts [][]byte
}

// Start serves requests, rate times a second, each of which takes about the given seconds.
func Start(rate sim.Rate, seconds float64) {
	go sim.Arrivals(rate, func() { go serve(seconds) })
}

func serve(seconds float64) {
	r := &Request{}
	r.read(int(sim.Pareto(8<<10, 0.8, 512<<10)))
	time.Sleep(sim.S(sim.LogNormal(seconds/2, 0.8)))
	r.split()
	time.Sleep(sim.S(sim.LogNormal(seconds/2, 0.8)))
	r.reply()
}

func (r *Request) read(size int) { r.body = make([]byte, size) }

func (r *Request) split() {
	for len(r.body) > 0 {
		n := min(len(r.body), 2<<10)
		r.parts = append(r.parts, bytes.Clone(r.body[:n]))
		r.body = r.body[n:]
	}
}

func (r *Request) reply() {
	var out bytes.Buffer
	for _, part := range r.parts {
		out.Write(part)
	}
}
