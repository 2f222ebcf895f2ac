// Package upload encodes into a pipe while it sends what comes out.
package upload

import (
	"io"
	"time"

	"example.com/zoo/internal/sim"
)

// Upload is one file on its way.
type Upload struct {
	r *io.PipeReader
	w *io.PipeWriter
}

// Start uploads, rate times a second.
func Start(rate sim.Rate) {
	go sim.Arrivals(rate, func() {
		u := &Upload{}
		u.r, u.w = io.Pipe()
		go u.encode(3 + sim.IntN(12))
		go u.send()
	})
}

func (u *Upload) encode(chunks int) {
	defer u.w.Close()
	for range chunks {
		if _, err := u.w.Write(make([]byte, 64)); err != nil {
			return
		}
		if sim.Chance(0.3) {
			u.readDisk()
		}
	}
}

func (u *Upload) readDisk() { time.Sleep(sim.S(sim.Exp(2))) }

func (u *Upload) send() {
	buf := make([]byte, 64)
	for {
		if _, err := u.r.Read(buf); err != nil {
			return
		}
		u.transmit()
	}
}

func (u *Upload) transmit() { time.Sleep(sim.S(0.7)) }
