// Package orders is a CRUD service: queries, a fan-out over shards, a lock per customer, a journal.
package orders

import (
	"context"
	"sync"
	"time"

	"example.com/zoo/internal/dbpool"
	"example.com/zoo/internal/rpc"
	"example.com/zoo/internal/sim"
)

// Store answers the methods.
type Store struct {
	db        *dbpool.Pool
	customers [24]sync.Mutex
	journal   *Journal
}

// Start registers the methods and lets calls come.
func Start(srv *rpc.Server, db *dbpool.Pool, rate sim.Rate) {
	s := &Store{db: db, journal: newJournal()}
	srv.Handle("orders.Get", s.Get)
	srv.Handle("orders.List", s.List)
	srv.Handle("orders.Create", s.Create)
	go sim.Arrivals(rate, func() {
		method := "orders.Get"
		switch sim.IntN(10) {
		case 0, 1:
			method = "orders.List"
		case 2, 3, 4:
			method = "orders.Create"
		}
		srv.Send(method, sim.IntN(1000))
	})
}

// Get reads one order.
func (s *Store) Get(ctx context.Context, _ int) error { return s.db.Query(ctx, sim.Exp(0.4)) }

// List asks some shards at once.
func (s *Store) List(ctx context.Context, id int) error {
	var wg sync.WaitGroup
	for shard := range 2 + id%4 {
		wg.Go(func() { s.scan(ctx, shard) })
	}
	wg.Wait()
	return nil
}

func (s *Store) scan(ctx context.Context, shard int) {
	time.Sleep(sim.S(0.2 * float64(1+shard)))
	_ = s.db.Query(ctx, sim.Exp(0.6))
}

// Create takes the customer's lock and waits for the journal.
func (s *Store) Create(_ context.Context, id int) error {
	m := &s.customers[id%len(s.customers)]
	m.Lock()
	defer m.Unlock()
	s.validate()
	return s.journal.Append(id)
}

func (s *Store) validate() { time.Sleep(sim.S(sim.Exp(0.7))) }
