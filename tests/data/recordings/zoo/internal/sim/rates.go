package sim

import (
	"math"
	"time"
)

// Rate is how many times a second something happens at a time.
type Rate func(t float64) float64

// Steady is the same at all times.
func Steady(perSecond float64) Rate { return func(float64) float64 { return perSecond } }

// Wave swings by ±swing (1 = all of it) around mean; phase is the part of a period that lies before second 0.
func Wave(mean, swing, period, phase float64) Rate {
	return func(t float64) float64 { return mean * (1 + swing*math.Sin(2*math.Pi*(t/period+phase))) }
}

// Noisy wanders between mean ± swing with no period of its own: four waves of 3 to 25 minutes, cut at the top and bottom.
func Noisy(mean, swing float64) Rate {
	var waves [4]Rate
	for i := range waves {
		waves[i] = Wave(1, 1, 180+1320*shapes.Float64(), shapes.Float64())
	}
	return func(t float64) float64 {
		sum := 0.0
		for _, w := range waves {
			sum += (w(t) - 1) / 2
		}
		return mean * (1 + swing*max(-1, min(1, sum)))
	}
}

// Between goes in a straight line from one rate to another while the time goes from t0 to t1.
func Between(from, to, t0, t1 float64) Rate {
	return func(t float64) float64 { return from + (to-from)*max(0, min(1, (t-t0)/(t1-t0))) }
}

// From is 0 before t0.
func (r Rate) From(t0 float64) Rate {
	return func(t float64) float64 {
		if t < t0 {
			return 0
		}
		return r(t)
	}
}

// Times is k times as much.
func (r Rate) Times(k float64) Rate { return func(t float64) float64 { return k * r(t) } }

// Mul is the product: r in proportion to the other.
func (r Rate) Mul(other Rate) Rate { return func(t float64) float64 { return r(t) * other(t) } }

// Arrivals calls arrive at random moments, rate(t) times a second, for ever. It works towards absolute times,
// so that the machine's own delays don't lower the rate.
func Arrivals(rate Rate, arrive func()) {
	const look = 5.0 // seconds after which the rate is asked again, should nothing have come
	next := Now()
	for {
		gap := math.Inf(1)
		if r := rate(next); r > 0 {
			gap = Exp(1 / r)
		}
		next += min(gap, look)
		time.Sleep(Until(next))
		if gap <= look {
			arrive()
		}
	}
}

// Every calls do each period seconds, for ever.
func Every(period float64, do func()) {
	tick := time.NewTicker(S(period))
	defer tick.Stop()
	for range tick.C {
		do()
	}
}
