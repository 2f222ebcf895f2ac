// Package export renders a report's twenty sections at once. A reader who leaves early leaves those behind
// that weren't done yet.
package export

import (
	"time"

	"example.com/zoo/internal/sim"
)

// Report is one document.
type Report struct{ out chan string }

// Start exports rate times a second; left times the reader leaves before the end.
func Start(rate, left sim.Rate) {
	go sim.Arrivals(rate, func() { go read(1) })
	go sim.Arrivals(left, func() { go read(sim.Uniform(0.1, 0.6)) })
}

func read(part float64) {
	r := &Report{make(chan string)}
	sections := r.render()
	for range int(part * float64(sections)) {
		<-r.out
	}
}

func (r *Report) section(seconds float64, name string) string {
	time.Sleep(sim.S(sim.Exp(seconds)))
	return name
}

// render starts every section in a goroutine of its own, and says how many.
func (r *Report) render() int {
	sections := []func(){
		func() { r.out <- r.section(3, "cover") },
		func() { r.out <- r.section(5, "summary") },
		func() { r.out <- r.section(2, "revenue") },
		func() { r.out <- r.section(4, "costs") },
		func() { r.out <- r.section(1, "margin") },
		func() { r.out <- r.section(3, "regions") },
		func() { r.out <- r.section(5, "products") },
		func() { r.out <- r.section(2, "channels") },
		func() { r.out <- r.section(4, "customers") },
		func() { r.out <- r.section(1, "churn") },
		func() { r.out <- r.section(3, "orders") },
		func() { r.out <- r.section(5, "returns") },
		func() { r.out <- r.section(2, "stock") },
		func() { r.out <- r.section(4, "suppliers") },
		func() { r.out <- r.section(1, "staff") },
		func() { r.out <- r.section(3, "forecast") },
		func() { r.out <- r.section(5, "risks") },
		func() { r.out <- r.section(2, "notes") },
		func() { r.out <- r.section(4, "glossary") },
		func() { r.out <- r.section(1, "index") },
	}
	for _, render := range sections {
		go render()
	}
	return len(sections)
}
