// Zoo is one program with many troubles, or none: a server whose goroutine profile is recorded while it runs
// one scenario. It prints the address it listens on, and runs until it is killed.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"example.com/zoo/internal/sim"
)

// releaseExtras is set in builds with the tag next.
var releaseExtras func()

func main() {
	name := flag.String("scenario", "", "what to run")
	seed := flag.Uint64("seed", 1, "what chance brings")
	life := flag.Uint64("life", 0, "how many times this recording's server has been restarted")
	epoch := flag.Int64("epoch", time.Now().UnixNano(), "when second 0 is (Unix time in nanoseconds)")
	speed := flag.Float64("speed", 100, "simulated seconds in a real one")
	flag.Parse()
	begin, ok := scenarios[*name]
	if !ok {
		log.Fatalf("no scenario %q", *name)
	}
	sim.Init(time.Unix(0, *epoch), *speed, *seed, *life)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	z := newZoo(mux, "http://"+listener.Addr().String(), *seed)
	if err := begin(z); err != nil {
		log.Fatal(err)
	}
	if releaseExtras != nil {
		releaseExtras()
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}
