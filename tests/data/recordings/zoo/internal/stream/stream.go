// Package stream has typed pipeline stages: a goroutine and a channel each.
package stream

// Map sends f of everything that comes.
func Map[T, U any](in <-chan T, f func(T) U) <-chan U {
	out := make(chan U)
	go func() {
		defer close(out)
		for v := range in {
			out <- f(v)
		}
	}()
	return out
}

// Batch gathers n at a time.
func Batch[T any](in <-chan T, n int) <-chan []T {
	out := make(chan []T, 1)
	go func() {
		defer close(out)
		var batch []T
		for v := range in {
			if batch = append(batch, v); len(batch) == n {
				out <- batch
				batch = nil
			}
		}
		if len(batch) > 0 {
			out <- batch
		}
	}()
	return out
}

// Each calls f with everything that comes, and returns when no more does.
func Each[T any](in <-chan T, f func(T)) {
	for v := range in {
		f(v)
	}
}
