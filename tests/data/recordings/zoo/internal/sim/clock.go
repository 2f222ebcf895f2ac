// Package sim is the zoo's time: everything in it is said in simulated seconds, which pass `speed` times
// faster than real ones. It hands out real durations, so that the frames in a profile are time.Sleep's and
// the channels' own, as in any server.
package sim

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

var clock = struct {
	epoch time.Time
	speed float64
}{time.Now(), 100}

var dice = struct {
	sync.Mutex
	*rand.Rand
}{Rand: rand.New(rand.NewPCG(0, 0))}

var shapes = rand.New(rand.NewPCG(0, 0))

// Init sets when second 0 is, how fast time passes, and what chance brings. The shape of the traffic
// depends on the seed only, the rest on the life too: a restarted server meets the same day, not the same calls.
func Init(epoch time.Time, speed float64, seed, life uint64) {
	clock.epoch, clock.speed = epoch, speed
	dice.Rand = rand.New(rand.NewPCG(seed, 1+life))
	shapes = rand.New(rand.NewPCG(seed, 0))
}

// Now is the time in seconds since the recording's first poll; negative before it.
func Now() float64 { return time.Since(clock.epoch).Seconds() * clock.speed }

// S is how long the given seconds really last.
func S(seconds float64) time.Duration {
	return time.Duration(seconds / clock.speed * float64(time.Second))
}

// Until is how long it really is until the given time.
func Until(t float64) time.Duration { return S(t - Now()) }

// Uniform is any number from lo to hi.
func Uniform(lo, hi float64) float64 {
	dice.Lock()
	defer dice.Unlock()
	return lo + (hi-lo)*dice.Float64()
}

// Exp has the given mean; most draws are smaller, a few much larger.
func Exp(mean float64) float64 {
	dice.Lock()
	defer dice.Unlock()
	return mean * dice.ExpFloat64()
}

// LogNormal has the given median and a tail that grows with sigma.
func LogNormal(median, sigma float64) float64 {
	dice.Lock()
	defer dice.Unlock()
	return median * math.Exp(sigma*dice.NormFloat64())
}

// Pareto is at least least, at most most, and now and then close to that.
func Pareto(least, alpha, most float64) float64 {
	return min(most, least/math.Pow(1-Uniform(0, 1), 1/alpha))
}

// IntN is one of 0 … n-1.
func IntN(n int) int {
	dice.Lock()
	defer dice.Unlock()
	return dice.IntN(n)
}

// Chance is true with probability p.
func Chance(p float64) bool { return Uniform(0, 1) < p }
