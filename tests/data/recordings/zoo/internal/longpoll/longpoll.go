// Package longpoll answers over HTTP when something happens, or after five minutes.
package longpoll

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Topic tells all that wait.
type Topic struct {
	mu      sync.Mutex
	changed chan struct{}
}

// Start serves /poll, asks rate times a second, and in bursts of up to 150.
func Start(mux *http.ServeMux, base string, rate, bursts sim.Rate) {
	t := &Topic{changed: make(chan struct{})}
	mux.HandleFunc("/poll", t.ServePoll)
	c := &poller{base: base, http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: sim.S(60)}}}
	go sim.Arrivals(sim.Steady(1.0/700), t.change)
	go sim.Arrivals(rate, func() { go c.poll() })
	go sim.Arrivals(bursts, func() {
		for range int(sim.Pareto(15, 1, 150)) {
			go c.poll()
		}
	})
}

func (t *Topic) change() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.changed)
	t.changed = make(chan struct{})
}

// ServePoll holds the request.
func (t *Topic) ServePoll(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	changed := t.changed
	t.mu.Unlock()
	timeout := time.NewTimer(sim.S(300))
	defer timeout.Stop()
	select {
	case <-changed:
		fmt.Fprintln(w, "changed")
	case <-timeout.C:
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}

type poller struct {
	base string
	http http.Client
}

func (p *poller) poll() {
	time.Sleep(sim.S(sim.Exp(10)))
	resp, err := p.http.Get(p.base + "/poll")
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}
