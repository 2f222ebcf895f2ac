package main

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// leaks holds the program's ways to leak a goroutine. Only "chan" is one that Go's goroutineleak profile can prove.
type leaks struct {
	dispatcher Dispatcher
	poller     Poller
	client     Client
	subscriber Subscriber

	mu   sync.Mutex
	stop chan struct{} // closed by /release
}

func newLeaks() *leaks {
	return &leaks{subscriber: Subscriber{topic: make(chan event)}, stop: make(chan struct{})}
}

type event struct{ id int }

// Dispatcher forwards an event to a caller that has given up: the send blocks for ever, and nobody else has the channel.
type Dispatcher struct{}

func (d *Dispatcher) dispatch() {
	out := make(chan event)
	go d.forward(out)
	select {
	case <-out:
	case <-time.After(0): // the caller's deadline
	}
}

func (d *Dispatcher) forward(out chan<- event) {
	time.Sleep(5 * time.Millisecond) // slower than the caller waits
	out <- event{}
}

// Poller polls in a loop that nothing ends: asleep nearly always, and so never "leaked" to Go.
type Poller struct{}

func (p *Poller) poll() {
	for {
		time.Sleep(250 * time.Millisecond)
	}
}

// Client waits for an answer that never comes, without a deadline.
type Client struct {
	once     sync.Once
	silent   net.Listener
	err      error
	mu       sync.Mutex
	accepted []net.Conn
	dialed   []net.Conn
}

func (c *Client) call() error {
	c.once.Do(func() { c.silent, c.err = net.Listen("tcp", "127.0.0.1:0") })
	if c.err != nil {
		return c.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, err := net.Dial("tcp", c.silent.Addr().String())
	if err != nil {
		return err
	}
	peer, err := c.silent.Accept()
	if err != nil {
		return err
	}
	c.dialed, c.accepted = append(c.dialed, conn), append(c.accepted, peer)
	go c.readReply(conn)
	return nil
}

func (c *Client) readReply(conn net.Conn) {
	var reply [1]byte
	conn.Read(reply[:])
}

// Subscriber waits on a channel that the program still holds: reachable, so Go can't tell that nobody will send.
type Subscriber struct{ topic chan event }

func (s *Subscriber) wait(topic <-chan event) { <-topic }

// leak leaks one goroutine.
func (l *leaks) leak(kind string) error {
	switch kind {
	case "", "chan":
		l.dispatcher.dispatch()
	case "sleep":
		go l.poller.poll()
	case "io":
		return l.client.call()
	case "reachable":
		l.mu.Lock()
		defer l.mu.Unlock()
		go l.subscriber.wait(l.subscriber.topic)
	default:
		return fmt.Errorf("kind must be chan, sleep, io or reachable, not %q", kind)
	}
	return nil
}

// start leaks a goroutine now and every so often, until release.
func (l *leaks) start(kind string, every time.Duration) error {
	if err := l.leak(kind); err != nil {
		return err
	}
	l.mu.Lock()
	stop := l.stop
	l.mu.Unlock()
	go l.keepLeaking(kind, every, stop)
	return nil
}

func (l *leaks) keepLeaking(kind string, every time.Duration, stop <-chan struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.leak(kind)
		case <-stop:
			return
		}
	}
}

func (l *leaks) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.stop)
	close(l.subscriber.topic)
	l.stop, l.subscriber.topic = make(chan struct{}), make(chan event)
}

func (l *leaks) register(mux *http.ServeMux) {
	mux.HandleFunc("/leak", l.handleLeak)
	mux.HandleFunc("/release", func(w http.ResponseWriter, r *http.Request) { l.release() })
}

func (l *leaks) handleLeak(w http.ResponseWriter, r *http.Request) {
	kind := r.FormValue("kind")
	n, ok := number(w, r, "n", 1)
	if !ok {
		return
	}
	if r.FormValue("every") != "" {
		every, ok := duration(w, r, "every", 0)
		if !ok {
			return
		}
		if err := l.start(kind, every); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
		return
	}
	for range n {
		if err := l.leak(kind); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
}
