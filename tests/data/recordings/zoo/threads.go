package main

import (
	"example.com/zoo/internal/codec"
	"example.com/zoo/internal/disk"
	"example.com/zoo/internal/render"
	"example.com/zoo/internal/sim"
)

// threads are the scenarios about OS threads: what each means stands in ../README.md.
var threads = map[string]func(*zoo) error{
	"threads-locked": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		codec.Start(traffic.Times(0.15), sim.Steady(1.0/120).From(1000))
		return z.busy(traffic, calls{"orders": 2, "mail": 1, "upload": 0.3})
	},
	"threads-bursts": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		disk.Start(traffic.Times(0.3), sim.Steady(1.0/500))
		return z.busy(traffic, calls{"orders": 2, "search": 0.5, "feed": 1})
	},
	"threads-morning": func(z *zoo) error {
		traffic := sim.Rate(morning).Mul(sim.Noisy(1, 0.15))
		disk.Start(traffic, never)
		return z.busy(traffic, calls{"orders": 1, "feed": 0.8, "mail": 0.8})
	},
	"threads-pool": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		render.Start(40, 1200)
		return z.busy(traffic, calls{"orders": 2, "lookup": 1, "stream": 0.2})
	},
}
