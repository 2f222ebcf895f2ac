package main

import (
	"example.com/zoo/internal/accounts"
	"example.com/zoo/internal/archive"
	"example.com/zoo/internal/billing"
	"example.com/zoo/internal/crew"
	"example.com/zoo/internal/etl"
	"example.com/zoo/internal/export"
	"example.com/zoo/internal/gate"
	"example.com/zoo/internal/imports"
	"example.com/zoo/internal/lease"
	"example.com/zoo/internal/merge"
	"example.com/zoo/internal/notify"
	"example.com/zoo/internal/quotes"
	"example.com/zoo/internal/retry"
	"example.com/zoo/internal/rooms"
	"example.com/zoo/internal/sim"
	"example.com/zoo/internal/thumbs"
	"example.com/zoo/internal/votes"
	"example.com/zoo/internal/watch"
	"example.com/zoo/internal/wire"
)

// leaky are the scenarios that leak: what each means stands in ../README.md.
var leaky = map[string]func(*zoo) error{
	"floor": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.6)
		quotes.Start(traffic, 0.02)
		return z.busy(traffic, calls{"orders": 3, "search": 1, "mail": 2, "upload": 0.2})
	},
	"falling": func(z *zoo) error {
		traffic := sim.Between(4, 1, 0, 8000).Mul(sim.Noisy(1, 0.25))
		merge.Start(traffic.Times(0.4), sim.Steady(1.0/40).From(1200))
		return z.busy(traffic, calls{"feed": 2, "orders": 1.5, "catalog": 1, "stream": 0.1, "lookup": 0.5})
	},
	"restarts-leak": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		gate.Start(traffic.Times(0.8), sim.Steady(0.05))
		return z.busy(traffic, calls{"orders": 2, "limiter": 1.2, "search": 0.7, "feed": 0.4, "wire": 0.15})
	},
	"fast": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		notify.Start(traffic.Times(2), sim.Steady(20).From(3000))
		return z.busy(traffic, calls{"orders": 2, "mail": 1, "lookup": 1})
	},
	"closures": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		export.Start(traffic.Times(0.1), sim.Steady(0.015).From(2500))
		return z.busy(traffic, calls{"mail": 1.5, "lookup": 0.8, "catalog": 1})
	},
	"accelerating": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		accounts.Start(z.rpc, traffic.Times(0.6), sim.Steady(1.0/120))
		return z.busy(traffic, calls{"orders": 2, "stream": 0.2, "feed": 0.5, "upload": 0.3})
	},
	"after-plateau": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.3)
		rooms.Start(traffic.Times(0.4), func() float64 { return sim.Exp(600) })
		thumbs.Start(traffic.Times(0.5), sim.Steady(0.05).From(5000))
		return z.busy(traffic, calls{"orders": 2, "catalog": 2, "search": 0.5})
	},
	"sleeploop": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.6)
		watch.Start(traffic.Times(0.15), sim.Steady(0.04).From(1000))
		return z.busy(traffic, calls{"limiter": 1.3, "mail": 2, "stream": 0.2, "lookup": 1})
	},
	"conns": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		if err := wire.Start(traffic.Times(0.3), sim.Steady(0.04).From(3000)); err != nil {
			return err
		}
		return z.busy(traffic, calls{"orders": 2, "feed": 0.5, "upload": 0.4, "catalog": 1})
	},
	"ctx": func(z *zoo) error {
		traffic := sim.Wave(1, 0.5, 1300, 0)
		lease.Start(traffic.Times(0.8), sim.Steady(0.06).From(600))
		return z.busy(traffic, calls{"search": 1, "mail": 2, "lookup": 0.6, "stream": 0.2})
	},
	"waves-long": func(z *zoo) error {
		traffic := sim.Wave(1, 0.75, 3000, 0.3)
		etl.Start(traffic.Times(1.5), 0.03)
		return z.busy(traffic, calls{"orders": 3, "feed": 1, "limiter": 1, "upload": 0.3, "wire": 0.1})
	},
	"late-polls": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.6)
		votes.Start(traffic, sim.Steady(0.05).From(1500))
		return z.busy(traffic, calls{"orders": 2, "catalog": 2, "lookup": 1, "mail": 1.5})
	},
	"bursts-leak": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		imports.Start(traffic.Times(0.1))
		return z.busy(traffic, calls{"search": 0.8, "feed": 0.6, "limiter": 1, "stream": 0.2})
	},
	"slow": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.6)
		archive.Start(traffic.Times(0.3), sim.Steady(1.0/150))
		return z.busy(traffic, calls{"orders": 4, "feed": 1, "mail": 2.5, "lookup": 1, "wire": 0.2})
	},
	"pool-then-leak": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		crew.Start(200, 1800, traffic.Times(2), sim.Steady(0.1).From(6000))
		return z.busy(traffic, calls{"orders": 2, "upload": 0.3, "catalog": 1, "search": 0.4})
	},
	"half-deaths": func(z *zoo) error {
		traffic := sim.Wave(1, 0.4, 1700, 0.5)
		retry.Start(traffic.Times(0.6), sim.Steady(0.08).From(800), 0.3)
		return z.busy(traffic, calls{"orders": 2, "feed": 0.7, "limiter": 1.2, "mail": 1})
	},
	"deploy-leak": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		billing.Start(traffic.Times(0.8), sim.Steady(0.06))
		return z.busy(traffic, calls{"orders": 2, "stream": 0.2, "search": 0.6, "lookup": 1, "upload": 0.2})
	},
}
