// Package tokens hands out tokens, and forgets to forget those that have expired.
package tokens

import (
	"fmt"
	"sync"

	"example.com/zoo/internal/sim"
)

// Issuer knows every token that it ever issued.
type Issuer struct {
	mu     sync.Mutex
	issued map[string]*Token
}

// Token is good for a while.
type Token struct {
	claims  [512]byte
	expires float64
}

// Start issues tokens, rate times a second.
func Start(rate sim.Rate) {
	i := &Issuer{issued: map[string]*Token{}}
	go sim.Arrivals(rate, func() { i.Issue() })
}

// Issue makes a token and keeps it.
func (i *Issuer) Issue() *Token {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := &Token{expires: sim.Now() + 600}
	i.issued[fmt.Sprintf("token-%06d", len(i.issued))] = t
	return t
}
