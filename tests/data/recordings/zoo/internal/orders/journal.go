package orders

import (
	"time"

	"example.com/zoo/internal/sim"
)

type write struct {
	id   int
	done chan error
}

// Journal writes in batches.
type Journal struct{ pending chan write }

func newJournal() *Journal {
	j := &Journal{pending: make(chan write, 32)}
	go j.run()
	return j
}

// Append returns once the entry is written.
func (j *Journal) Append(id int) error {
	w := write{id, make(chan error, 1)}
	j.pending <- w
	return <-w.done
}

func (j *Journal) run() {
	for first := range j.pending {
		batch := []write{first}
		for len(j.pending) > 0 {
			batch = append(batch, <-j.pending)
		}
		j.sync()
		for _, w := range batch {
			w.done <- nil
		}
	}
}

func (j *Journal) sync() { time.Sleep(sim.S(0.4)) }
