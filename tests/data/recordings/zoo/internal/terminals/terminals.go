// Package terminals serves TCP sessions: most last minutes, some stay open for hours.
package terminals

import (
	"net"
	"time"

	"example.com/zoo/internal/sim"
)

// Server has one goroutine a session, and the other end of the line has one, too.
type Server struct{ listener net.Listener }

// Start opens sessions rate times a second that last for stay() seconds.
func Start(rate sim.Rate, stay func() float64) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &Server{l}
	go s.accept()
	go sim.Arrivals(rate, func() { go s.open(stay()) })
	return nil
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.session(conn)
	}
}

func (s *Server) session(conn net.Conn) {
	defer conn.Close()
	line := make([]byte, 80)
	for {
		if _, err := conn.Read(line); err != nil {
			return
		}
		s.execute()
	}
}

func (s *Server) execute() { time.Sleep(sim.S(sim.Exp(1))) }

func (s *Server) open(seconds float64) {
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		return
	}
	defer conn.Close()
	end := sim.Now() + seconds
	for sim.Now() < end {
		if _, err := conn.Write([]byte("ls\n")); err != nil {
			return
		}
		think(min(end-sim.Now(), 20+sim.Exp(100)))
	}
}

func think(seconds float64) { time.Sleep(sim.S(seconds)) }
