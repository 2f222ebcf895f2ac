package main

import (
	"context"
	"os"
	"runtime/pprof"
	"sync"
	"time"
)

type job struct{ payload []byte }

// parkModestServer starts what a server of some size has at rest: pools, tickers, consumers, readers.
func parkModestServer() {
	pool := &Pool{jobs: make(chan job)}
	for range 34 {
		go pool.work()
	}
	for range 10 {
		queue := make(chan event, 4)
		go consume(queue, keep(queue))
	}
	for range 4 {
		go flushMetrics(time.NewTicker(time.Second))
		go func() {
			for range time.Tick(300 * time.Millisecond) {
				expireSessions()
			}
		}()
	}
	for range 6 {
		go watchFile()
	}
	for _, tenant := range []string{"plain", `with "quotes" and a \`, "wörld\n@ 0x1", "plain"} {
		labels := pprof.Labels("tenant", tenant, "tier", "gold")
		go pprof.Do(context.Background(), labels, func(context.Context) { wörker() })
	}
	go descend(6)
	go descend(12)
	gate := &Gate{}
	gate.cond = sync.NewCond(&gate.mu)
	for range 7 {
		go gate.await()
	}
}

// Pool is a pool of workers that wait for jobs, in a select with two ways out.
type Pool struct{ jobs chan job }

var quit = make(chan struct{})

func (p *Pool) work() {
	for {
		select {
		case j := <-p.jobs:
			_ = j
		case <-quit:
			return
		}
	}
}

var (
	keptMu sync.Mutex
	kept   []any
)

// keep holds on to a value for ever, so that what waits for it is reachable, and no leak.
func keep[T any](value T) T {
	keptMu.Lock()
	defer keptMu.Unlock()
	kept = append(kept, value)
	return value
}

func consume[T any](queue <-chan T, _ <-chan T) {
	for range queue {
	}
}

func flushMetrics(ticker *time.Ticker) {
	for range ticker.C {
	}
}

func expireSessions() {}

// watchFile waits in a read, as a connection's reader does.
func watchFile() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	keep(w)
	var buffer [1]byte
	r.Read(buffer[:])
}

func wörker() { <-quit }

// descend parks a goroutine under depth frames of itself.
//
//go:noinline
func descend(depth int) int {
	if depth == 0 {
		<-quit
		return 0
	}
	return descend(depth-1) + 1
}

// Gate is a condition variable that nobody signals.
type Gate struct {
	mu   sync.Mutex
	cond *sync.Cond
}

func (g *Gate) await() {
	g.mu.Lock()
	defer g.mu.Unlock()
	keep(g)
	g.cond.Wait()
}
