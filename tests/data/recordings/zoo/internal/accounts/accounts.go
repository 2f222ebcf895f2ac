// Package accounts locks by shard. An error path returns without unlocking, and whoever needs that shard
// later waits for ever: the more shards are lost, the more calls are.
package accounts

import (
	"context"
	"sync"
	"time"

	"example.com/zoo/internal/rpc"
	"example.com/zoo/internal/sim"
)

// Shards has a lock per shard.
type Shards struct{ locks [256]sync.Mutex }

// Start transfers rate times a second; broken times a second one forgets to unlock.
func Start(srv *rpc.Server, rate, broken sim.Rate) {
	s := &Shards{}
	srv.Handle("accounts.Transfer", s.Transfer)
	go sim.Arrivals(rate, func() { srv.Send("accounts.Transfer", sim.IntN(len(s.locks))) })
	go sim.Arrivals(broken, func() { s.locks[sim.IntN(len(s.locks))].TryLock() })
}

// Transfer books under the account's lock.
func (s *Shards) Transfer(_ context.Context, account int) error {
	return s.withLock(account, s.book)
}

func (s *Shards) withLock(account int, do func() error) error {
	m := &s.locks[account]
	m.Lock()
	defer m.Unlock()
	return do()
}

func (s *Shards) book() error {
	time.Sleep(sim.S(sim.Exp(1.5)))
	return nil
}
