// Command goserver is the Go program that the tests watch: a small server with net/http/pprof, about 76
// goroutines when idle, and leaks, load and contention on request.
//
// It prints the address it listens on as its first line and ends when its standard input does, so that it
// never outlives the test that started it.
//
//	/leak?n=3            leak goroutines now            kind=chan|sleep|io|reachable, every=1s: go on leaking
//	/release             stop leaking, and let go of what is blocked on a reachable channel
//	/work?n=100&for=50ms a burst: n goroutines that each take so long; answers when all have ended
//	/alloc?bytes=1048576 keep that much memory
//	/recurse?depth=50    park one more goroutine under that many frames of one function
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"strconv"
	"time"
)

func main() {
	socket := flag.String("unix", "", "listen on this unix socket in place of a free loopback port")
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	writeTimeout := flag.Duration("write-timeout", 0, "the server's WriteTimeout")
	leak := flag.Duration("leak", 0, "leak a goroutine this often, from the start")
	kind := flag.String("leak-kind", "chan", "how to leak: chan, sleep, io, reachable")
	traffic := flag.Int("traffic", 0, "keep about this many short-lived goroutines going, in waves of half as many more or fewer")
	life := flag.Duration("traffic-life", 500*time.Millisecond, "how long these live; a wave takes 40 times as long")
	idle := flag.Bool("idle", true, "park the goroutines of a modest server")
	flag.Parse()

	runtime.MemProfileRate = 64 << 10
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)

	listener, err := listen(*socket, *address)
	if err != nil {
		log.Fatal(err)
	}
	if *idle {
		parkModestServer()
	}
	go contend()
	leaks := newLeaks()
	if *leak > 0 {
		if err := leaks.start(*kind, *leak); err != nil {
			log.Fatal(err)
		}
	}
	if *traffic > 0 {
		go generateTraffic(*traffic, *life)
	}
	leaks.register(http.DefaultServeMux)
	http.HandleFunc("/work", handleWork)
	http.HandleFunc("/alloc", handleAlloc)
	http.HandleFunc("/recurse", handleRecurse)

	fmt.Println(listener.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{WriteTimeout: *writeTimeout}
	log.Fatal(server.Serve(listener))
}

func listen(socket, address string) (net.Listener, error) {
	if socket != "" {
		return net.Listen("unix", socket)
	}
	return net.Listen("tcp", address)
}

// number reads a whole number from the query, or answers 400.
func number(w http.ResponseWriter, r *http.Request, key string, otherwise int) (int, bool) {
	text := r.FormValue(key)
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		http.Error(w, key+" must be a whole number", http.StatusBadRequest)
		return 0, false
	}
	return n, true
}

// duration reads a Go duration from the query, or answers 400.
func duration(w http.ResponseWriter, r *http.Request, key string, otherwise time.Duration) (time.Duration, bool) {
	text := r.FormValue(key)
	if text == "" {
		return otherwise, true
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		http.Error(w, key+" must be a duration like 1s", http.StatusBadRequest)
		return 0, false
	}
	return d, true
}
