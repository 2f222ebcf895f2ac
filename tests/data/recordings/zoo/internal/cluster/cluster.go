// Package cluster leads followers: a goroutine replicates to each of them. Followers join for 25 minutes and
// leave for 25, over and over.
package cluster

import (
	"math"
	"time"

	"example.com/zoo/internal/sim"
)

// Leader knows its followers.
type Leader struct{ followers []*Follower }

// Follower is one node.
type Follower struct {
	log  chan int
	gone chan struct{}
}

// Start swings between few and many followers within each period.
func Start(few, many, period float64) {
	l := &Leader{}
	go sim.Every(10, func() {
		phase := math.Mod(sim.Now()/period+1, 1)
		up := 1 - math.Abs(2*phase-1) // a triangle: 0 at the period's ends, 1 in its middle
		l.resize(int(few + (many-few)*up + sim.Uniform(-2, 2)))
	})
	go sim.Every(7, l.commit)
}

func (l *Leader) resize(n int) {
	for len(l.followers) < n {
		f := &Follower{make(chan int, 1), make(chan struct{})}
		l.followers = append(l.followers, f)
		go f.replicate()
	}
	for len(l.followers) > max(n, 1) {
		i := sim.IntN(len(l.followers))
		close(l.followers[i].gone)
		l.followers = append(l.followers[:i], l.followers[i+1:]...)
	}
}

func (l *Leader) commit() { time.Sleep(sim.S(1)) }

func (f *Follower) replicate() {
	heartbeat := time.NewTicker(sim.S(sim.Uniform(80, 120)))
	defer heartbeat.Stop()
	for {
		select {
		case <-f.log:
		case <-heartbeat.C:
			f.send()
		case <-f.gone:
			return
		}
	}
}

func (f *Follower) send() { time.Sleep(sim.S(sim.Exp(1.2))) }
