package main

import (
	"fmt"
	"net/http"

	"example.com/zoo/internal/catalog"
	"example.com/zoo/internal/cron"
	"example.com/zoo/internal/dbpool"
	"example.com/zoo/internal/feed"
	"example.com/zoo/internal/limiter"
	"example.com/zoo/internal/lookup"
	"example.com/zoo/internal/mail"
	"example.com/zoo/internal/metrics"
	"example.com/zoo/internal/orders"
	"example.com/zoo/internal/rpc"
	"example.com/zoo/internal/search"
	"example.com/zoo/internal/sim"
	"example.com/zoo/internal/stream"
	"example.com/zoo/internal/upload"
	"example.com/zoo/internal/wire"
)

// zoo is what a scenario builds on.
type zoo struct {
	mux  *http.ServeMux
	base string
	seed uint64
	rpc  *rpc.Server
}

func newZoo(mux *http.ServeMux, base string, seed uint64) *zoo {
	return &zoo{mux: mux, base: base, seed: seed, rpc: rpc.NewServer(seed%3 == 0)}
}

// never is the rate of what doesn't happen.
var never = sim.Steady(0)

// calls says how many calls a second each of the usual services gets while traffic is 1.
type calls map[string]float64

// busy starts the services named, and those without traffic. It must be the last that a scenario starts: the
// methods are complete then.
func (z *zoo) busy(traffic sim.Rate, services calls) error {
	for name, perSecond := range services {
		if err := z.service(name, traffic.Times(perSecond)); err != nil {
			return err
		}
	}
	cron.Start()
	metrics.Start(3 + int(z.seed%8))
	go z.rpc.Serve()
	return nil
}

func (z *zoo) service(name string, rate sim.Rate) error {
	switch name {
	case "orders":
		orders.Start(z.rpc, dbpool.Open(12), rate)
	case "search":
		search.Start(z.mux, z.base, rate)
	case "mail":
		mail.Start(8, rate)
	case "feed":
		feed.Start(rate)
	case "stream":
		stream.Start(rate)
	case "limiter":
		limiter.Start(z.rpc, 6, rate)
	case "catalog":
		catalog.Start(z.rpc, rate)
	case "lookup":
		lookup.Start(rate)
	case "upload":
		upload.Start(rate)
	case "wire":
		return wire.Start(rate, never)
	default:
		return fmt.Errorf("no service %q", name)
	}
	return nil
}
