// Package rpc is a small framework as many companies have one: methods by name, a goroutine a call.
package rpc

import (
	"context"
	"fmt"
	"runtime/pprof"

	"example.com/zoo/internal/sim"
)

// Method answers one call.
type Method func(ctx context.Context, arg int) error

type call struct {
	method string
	arg    int
}

// Server runs methods.
type Server struct {
	methods map[string]Method
	inbox   chan call
	label   bool
}

// NewServer starts a server; with label, every goroutine carries its method's name as a pprof label.
func NewServer(label bool) *Server {
	s := &Server{methods: map[string]Method{}, inbox: make(chan call, 64), label: label}
	return s
}

// Handle registers a method; all of them before Serve.
func (s *Server) Handle(name string, m Method) { s.methods[name] = m }

// Send asks for a call and doesn't wait for its answer.
func (s *Server) Send(method string, arg int) { s.inbox <- call{method, arg} }

// Serve runs calls as they come.
func (s *Server) Serve() {
	for c := range s.inbox {
		if s.label {
			go s.serveLabelled(c)
		} else {
			go s.serve(c)
		}
	}
}

func (s *Server) serveLabelled(c call) {
	pprof.Do(context.Background(), pprof.Labels("method", c.method), func(ctx context.Context) { s.invoke(ctx, c) })
}

func (s *Server) serve(c call) { s.invoke(context.Background(), c) }

func (s *Server) invoke(ctx context.Context, c call) {
	m, ok := s.methods[c.method]
	if !ok {
		panic(fmt.Sprintf("no method %q", c.method))
	}
	ctx, cancel := context.WithTimeout(ctx, sim.S(600))
	defer cancel()
	_ = m(ctx, c.arg) // whoever called is not in this process
}
