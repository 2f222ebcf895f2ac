// Package feed has short subscriptions, three quarters of a minute each, and a publisher that reaches all of them.
package feed

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Broker knows who is subscribed.
type Broker struct {
	mu   sync.RWMutex
	subs map[*Subscription]struct{}
}

// Subscription gets news for a while.
type Subscription struct{ news chan int }

// Start lets subscribers come, rate times a second.
func Start(rate sim.Rate) {
	b := &Broker{subs: map[*Subscription]struct{}{}}
	go sim.Every(23, b.publish)
	go sim.Arrivals(rate, func() { go b.subscribe(sim.Exp(45)) })
}

func (b *Broker) subscribe(seconds float64) {
	s := &Subscription{news: make(chan int, 1)}
	b.mu.Lock()
	b.subs[s] = struct{}{}
	b.mu.Unlock()
	defer b.forget(s)
	s.follow(time.After(sim.S(seconds)))
}

func (s *Subscription) follow(end <-chan time.Time) {
	for {
		select {
		case <-s.news:
			s.render()
		case <-end:
			return
		}
	}
}

func (s *Subscription) render() { time.Sleep(sim.S(sim.Exp(1))) }

func (b *Broker) forget(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs, s)
}

func (b *Broker) publish() {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for s := range b.subs {
		select {
		case s.news <- 1:
		default:
		}
	}
}
