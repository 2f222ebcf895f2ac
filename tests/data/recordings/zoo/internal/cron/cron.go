// Package cron runs jobs by the clock.
package cron

import (
	"sync"
	"time"

	"example.com/zoo/internal/sim"
)

// Scheduler runs one job at a time per name.
type Scheduler struct{ running sync.Map }

// Start schedules the usual jobs.
func Start() {
	s := &Scheduler{}
	go s.every("compact", 60, s.compact)
	go s.every("report", 300, s.report)
	go s.every("rotate", 90, s.rotate)
}

func (s *Scheduler) every(name string, period float64, job func()) {
	for {
		time.Sleep(sim.S(period * sim.Uniform(0.9, 1.1)))
		if _, busy := s.running.LoadOrStore(name, true); busy {
			continue
		}
		go func() {
			defer s.running.Delete(name)
			job()
		}()
	}
}

func (s *Scheduler) compact() {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(s.compactTable)
	}
	wg.Wait()
}

func (s *Scheduler) compactTable() { time.Sleep(sim.S(3 + sim.Exp(5))) }

func (s *Scheduler) report() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.gather()
	}()
	<-done
}

func (s *Scheduler) gather() { time.Sleep(sim.S(25)) }

func (s *Scheduler) rotate() { time.Sleep(sim.S(2)) }
