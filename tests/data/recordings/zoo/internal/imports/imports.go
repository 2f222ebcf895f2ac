// Package imports reads files row by row, a few rows at a time. A worker that fails keeps its slot, and all
// rows of its file wait for it.
package imports

import (
	"time"

	"example.com/zoo/internal/sim"
)

// File has slots for the rows under way.
type File struct{ slots chan struct{} }

// Start imports files rate times a second; every 5 to 20 minutes one of 5 to 40 rows, in which all slots stay taken.
func Start(rate sim.Rate) {
	go sim.Arrivals(rate, func() { open(3).read(2 + sim.IntN(12)) })
	go func() {
		for {
			time.Sleep(sim.S(sim.Uniform(300, 1200)))
			jam(5 + sim.IntN(36))
		}
	}()
}

func jam(rows int) {
	f := open(3)
	for range cap(f.slots) {
		f.slots <- struct{}{}
	}
	f.read(rows)
}

func open(slots int) *File { return &File{make(chan struct{}, slots)} }

func (f *File) read(rows int) {
	for range rows {
		go f.row()
	}
}

func (f *File) row() {
	f.slots <- struct{}{}
	defer func() { <-f.slots }()
	f.insert()
}

func (f *File) insert() { time.Sleep(sim.S(sim.Exp(2))) }
