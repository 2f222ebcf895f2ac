// Package wire keeps TCP connections to peers: a reader and a writer each, and a reader at the other end.
package wire

import (
	"net"
	"time"

	"example.com/zoo/internal/sim"
)

// Hub accepts peers.
type Hub struct{ listener net.Listener }

// Peer is one connection that was dialled.
type Peer struct {
	conn net.Conn
	out  chan []byte
	quit chan struct{}
}

// Start lets peers come, rate times a second, and stay a minute; of lost ones nobody closes the connection.
func Start(rate, lost sim.Rate) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &Hub{l}
	go h.acceptLoop()
	go sim.Arrivals(rate, func() { go h.visit(sim.Exp(60)) })
	go sim.Arrivals(lost, func() { go h.dial() })
	return nil
}

func (h *Hub) acceptLoop() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			return
		}
		go h.serve(conn)
	}
}

func (h *Hub) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 32)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (h *Hub) visit(seconds float64) {
	p := h.dial()
	if p == nil {
		return
	}
	time.Sleep(sim.S(seconds))
	close(p.quit)
	p.conn.Close()
}

func (h *Hub) dial() *Peer {
	conn, err := net.Dial("tcp", h.listener.Addr().String())
	if err != nil {
		return nil
	}
	p := &Peer{conn, make(chan []byte, 4), make(chan struct{})}
	go p.readLoop()
	go p.writeLoop()
	p.out <- []byte("hello")
	return p
}

func (p *Peer) readLoop() {
	buf := make([]byte, 32)
	for {
		if _, err := p.conn.Read(buf); err != nil {
			return
		}
	}
}

func (p *Peer) writeLoop() {
	for {
		select {
		case b := <-p.out:
			if _, err := p.conn.Write(b); err != nil {
				return
			}
		case <-p.quit:
			return
		}
	}
}
