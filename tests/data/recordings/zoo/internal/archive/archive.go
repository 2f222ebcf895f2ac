// Package archive compresses into a pipe; a reader that fails must close its end, and one path doesn't.
package archive

import (
	"io"
	"time"

	"example.com/zoo/internal/sim"
)

// Bundle is one archive in the making.
type Bundle struct{ parts int }

// Start makes bundles rate times a second, and torn ones, whose reader leaves after the first part.
func Start(rate, torn sim.Rate) {
	go sim.Arrivals(rate, func() { go (&Bundle{2 + sim.IntN(5)}).store(false) })
	go sim.Arrivals(torn, func() { go (&Bundle{4}).store(true) })
}

func (b *Bundle) store(tear bool) {
	r, w := io.Pipe()
	go func() {
		defer w.Close()
		b.compress(w)
	}()
	part := make([]byte, 16)
	for {
		if _, err := r.Read(part); err != nil || tear {
			return
		}
		b.upload()
	}
}

func (b *Bundle) compress(w io.Writer) {
	for range b.parts {
		time.Sleep(sim.S(sim.Exp(0.5)))
		if _, err := w.Write(make([]byte, 16)); err != nil {
			return
		}
	}
}

func (b *Bundle) upload() { time.Sleep(sim.S(sim.Exp(1.5))) }
