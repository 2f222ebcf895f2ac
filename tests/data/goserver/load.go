package main

import (
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// contend gives the mutex and block profiles something new a few times a second.
func contend() {
	var shared sync.Mutex
	for range time.Tick(100 * time.Millisecond) {
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { holdLock(&shared) })
		}
		both.Wait()
		remember(make([]byte, 32<<10))
	}
}

//go:noinline
func holdLock(shared *sync.Mutex) {
	shared.Lock()
	defer shared.Unlock()
	time.Sleep(time.Millisecond)
}

var (
	ringMu sync.Mutex
	ring   [64][]byte
	next   int
)

// remember keeps the last blocks of memory: the heap churns but does not grow.
func remember(block []byte) {
	ringMu.Lock()
	defer ringMu.Unlock()
	ring[next%len(ring)] = block
	next++
}

// generateTraffic keeps about mean requests going that take about life each, in waves of 40 lives that swing by half.
func generateTraffic(mean int, life time.Duration) {
	tick := life / 25
	begin := time.Now()
	due := 0.0
	for range time.Tick(tick) {
		wave := 1 + 0.5*math.Sin(2*math.Pi*time.Since(begin).Seconds()/(40*life.Seconds()))
		due += float64(mean) * wave * tick.Seconds() / life.Seconds()
		for ; due >= 1; due-- {
			go serveRequest(time.Duration((0.2 + 1.6*rand.Float64()) * float64(life)))
		}
	}
}

//go:noinline
func serveRequest(takes time.Duration) { time.Sleep(takes) }

func handleWork(w http.ResponseWriter, r *http.Request) {
	n, ok := number(w, r, "n", 100)
	if !ok {
		return
	}
	takes, ok := duration(w, r, "for", 50*time.Millisecond)
	if !ok {
		return
	}
	var all sync.WaitGroup
	for range n {
		all.Go(func() { serveRequest(takes) })
	}
	all.Wait()
}

func handleAlloc(w http.ResponseWriter, r *http.Request) {
	if n, ok := number(w, r, "bytes", 1<<20); ok {
		keep(make([]byte, n))
	}
}

func handleRecurse(w http.ResponseWriter, r *http.Request) {
	if depth, ok := number(w, r, "depth", 50); ok {
		go descend(depth)
	}
}
