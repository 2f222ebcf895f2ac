// Package eval walks expression trees, so that hardly two goroutines have the same stack.
package eval

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Machine evaluates.
type Machine struct{ wait float64 }

// Start evaluates rate times a second; a leaf takes wait seconds.
func Start(rate sim.Rate, wait float64) {
	m := &Machine{wait}
	go sim.Arrivals(rate, func() { go m.Eval(2 + sim.IntN(6)) })
}

// Eval evaluates one node and what is below it.
func (m *Machine) Eval(depth int) int {
	if depth == 0 {
		return m.fetch()
	}
	switch sim.IntN(6) {
	case 0:
		return m.add(depth - 1)
	case 1:
		return m.index(depth - 1)
	case 2:
		return m.cond(depth - 1)
	case 3:
		return m.call(depth - 1)
	case 4:
		return m.let(depth - 1)
	default:
		return m.negate(depth - 1)
	}
}

//go:noinline
func (m *Machine) add(depth int) int { return 1 + m.Eval(depth) }

//go:noinline
func (m *Machine) index(depth int) int { return 2 * m.Eval(depth) }

//go:noinline
func (m *Machine) cond(depth int) int {
	if v := m.Eval(depth); v > 3 {
		return v
	}
	return 3
}

//go:noinline
func (m *Machine) call(depth int) int {
	return func(arg int) int { return arg + 1 }(m.Eval(depth))
}

//go:noinline
func (m *Machine) let(depth int) int {
	v := m.Eval(depth)
	return v + v
}

//go:noinline
func (m *Machine) negate(depth int) int { return -m.Eval(depth) }

func (m *Machine) fetch() int {
	time.Sleep(sim.S(sim.Uniform(0.5, 1.5) * m.wait))
	return sim.IntN(9)
}
