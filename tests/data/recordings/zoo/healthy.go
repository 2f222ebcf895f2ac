package main

import (
	"maps"
	"math"

	"example.com/zoo/internal/autoscale"
	"example.com/zoo/internal/batch"
	"example.com/zoo/internal/cluster"
	"example.com/zoo/internal/eval"
	"example.com/zoo/internal/idle"
	"example.com/zoo/internal/intake"
	"example.com/zoo/internal/keycache"
	"example.com/zoo/internal/longpoll"
	"example.com/zoo/internal/payments"
	"example.com/zoo/internal/pool"
	"example.com/zoo/internal/rooms"
	"example.com/zoo/internal/shells"
	"example.com/zoo/internal/sim"
	"example.com/zoo/internal/terminals"
	"example.com/zoo/internal/upstream"
)

var scenarios = func() map[string]func(*zoo) error {
	all := maps.Clone(leaky)
	maps.Copy(all, healthy)
	maps.Copy(all, heap)
	maps.Copy(all, threads)
	return all
}()

// morning rises to four times as much for 100 minutes, and falls for as long.
func morning(t float64) float64 { return 1 + 3*math.Pow(math.Sin(math.Pi*max(t, 0)/12000), 2) }

// healthy are the scenarios that don't leak: what each means stands in ../README.md.
var healthy = map[string]func(*zoo) error{
	"pool-linear": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		pool.Start(300, 1800, traffic.Times(3))
		return z.busy(traffic, calls{"orders": 2, "search": 0.6, "feed": 0.5, "catalog": 1})
	},
	"sessions-45": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.3)
		rooms.Start(traffic.Times(0.12), func() float64 { return sim.Exp(2700) })
		return z.busy(traffic, calls{"orders": 2, "mail": 1, "lookup": 0.8})
	},
	"sessions-lognormal": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		if err := terminals.Start(traffic.Times(0.3), func() float64 { return sim.LogNormal(300, 1.3) }); err != nil {
			return err
		}
		return z.busy(traffic, calls{"orders": 2, "stream": 0.2, "limiter": 1})
	},
	"cache-ttl": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		keycache.Start(traffic.Times(0.5), 600, z.seed, 5400)
		return z.busy(traffic, calls{"orders": 2, "upload": 0.3, "catalog": 1, "lookup": 1})
	},
	"morning": func(z *zoo) error {
		traffic := sim.Rate(morning).Mul(sim.Noisy(1, 0.15))
		return z.busy(traffic, calls{"orders": 1, "feed": 0.8, "mail": 0.8, "lookup": 0.5, "wire": 0.1, "stream": 0.1})
	},
	"stairs": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		autoscale.Start(20, []float64{900, 1800, 2700}, traffic.Times(4))
		return z.busy(traffic, calls{"orders": 2, "search": 0.7, "mail": 1, "feed": 0.4})
	},
	"outage": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		payments.Start(z.rpc, traffic.Times(0.3), []payments.Outage{{From: 2000, To: 2720}, {From: 5200, To: 5920}})
		return z.busy(traffic, calls{"orders": 2, "catalog": 1, "feed": 0.5, "upload": 0.3})
	},
	"longpoll": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		longpoll.Start(z.mux, z.base, traffic.Times(0.04), sim.Steady(1.0/500))
		return z.busy(traffic, calls{"orders": 2, "lookup": 1, "mail": 1})
	},
	"reaper-40": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		idle.Start(traffic.Times(0.08), 2400, 1900)
		return z.busy(traffic, calls{"orders": 2, "stream": 0.3, "limiter": 1, "upload": 0.2})
	},
	"restarts-healthy": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		pool.Start(150, 300, traffic.Times(2))
		rooms.Start(traffic.Times(0.2), func() float64 { return sim.Exp(240) })
		return z.busy(traffic, calls{"orders": 2, "catalog": 1, "search": 0.5})
	},
	"batch-long": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		batch.Start(500, 300, 4800, 3000)
		return z.busy(traffic, calls{"orders": 2, "feed": 0.5, "lookup": 1})
	},
	"idle-pool": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.6)
		upstream.Start(z.mux, z.base, traffic.Times(0.8), sim.Steady(1.0/50))
		return z.busy(traffic, calls{"orders": 2, "mail": 1, "catalog": 1})
	},
	"many-stacks": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		eval.Start(traffic.Times(0.4), 8)
		return z.busy(traffic, calls{"orders": 2, "lookup": 0.8, "feed": 0.4})
	},
	"deploy-healthy": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		rooms.Start(traffic.Times(0.25), func() float64 { return sim.Exp(600) })
		pool.Start(80, 900, traffic.Times(2))
		return z.busy(traffic, calls{"orders": 2, "upload": 0.3, "mail": 1, "wire": 0.1})
	},
	"step-sessions": func(z *zoo) error {
		doubles := sim.Between(1, 2, 5000, 5001)
		traffic := doubles.Mul(sim.Noisy(1, 0.25))
		shells.Start(traffic.Times(0.12), 1200)
		return z.busy(traffic, calls{"orders": 1.5, "search": 0.4, "limiter": 0.6, "catalog": 0.5})
	},
	"gaps": func(z *zoo) error {
		traffic := sim.Wave(1, 0.6, 2400, 0.6).Mul(sim.Noisy(1, 0.2))
		return z.busy(traffic, calls{"orders": 3, "feed": 1.5, "mail": 2, "wire": 0.3, "lookup": 1})
	},
	"queue-drift": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.5)
		intake.Start(sim.Steady(1.5), 80, 200)
		return z.busy(traffic, calls{"orders": 2, "stream": 0.3, "upload": 0.3, "limiter": 1})
	},
	"leader": func(z *zoo) error {
		traffic := sim.Noisy(1, 0.4)
		cluster.Start(20, 250, 3000)
		return z.busy(traffic, calls{"orders": 2, "search": 0.5, "mail": 1, "catalog": 1})
	},
}
