package main

import (
	"runtime"

	"example.com/zoo/internal/capture"
	"example.com/zoo/internal/lru"
	"example.com/zoo/internal/memo"
	"example.com/zoo/internal/payload"
	"example.com/zoo/internal/rollup"
	"example.com/zoo/internal/sim"
	"example.com/zoo/internal/tokens"
)

// allocate serves requests that allocate, and lets the usual services run. A heap profile is as old as the last
// collection, of which there is one every two minutes, whatever happens; two of the day's minutes here.
func (z *zoo) allocate(traffic sim.Rate, seconds float64) error {
	payload.Start(traffic.Times(2), seconds)
	go sim.Every(120, runtime.GC)
	return z.busy(traffic, calls{"orders": 1, "feed": 0.5, "mail": 1})
}

// heap are the scenarios about live memory: what each means stands in ../README.md.
var heap = map[string]func(*zoo) error{
	"heap-map": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		tokens.Start(traffic.Times(4))
		return z.allocate(traffic, 3)
	},
	"heap-buffers": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		capture.Start(traffic, sim.Steady(1.0/40).From(1200))
		return z.allocate(traffic, 3)
	},
	"heap-generic": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.6)
		memo.Start(traffic.Times(8), 0.1)
		return z.allocate(traffic, 5)
	},
	"heap-beside": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		lru.Start(traffic.Times(4), 60000, 5500)
		tokens.Start(sim.Steady(6).From(2400))
		return z.allocate(traffic, 3)
	},
	"heap-lru": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		lru.Start(traffic.Times(4), 60000, 5500)
		return z.allocate(traffic, 3)
	},
	"heap-batches": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		rollup.Start(traffic.Times(25), 1200)
		return z.allocate(traffic, 3)
	},
	"heap-churn": func(z *zoo) error {
		traffic := sim.Wave(1, 0.6, 2400, 0.6).Mul(sim.Noisy(1, 0.3))
		payload.Start(traffic, 60)
		return z.allocate(traffic.Times(2), 10)
	},
	"heap-sessions": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		payload.Start(traffic.Times(0.6), 1200)
		return z.allocate(traffic, 3)
	},
	"heap-morning": func(z *zoo) error {
		traffic := sim.Rate(morning).Mul(sim.Noisy(1, 0.15))
		payload.Start(traffic, 60)
		return z.allocate(traffic, 10)
	},
	"heap-restart": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.3)
		lru.Start(traffic.Times(6), 5000, 5000)
		return z.allocate(traffic, 5)
	},
}
