// Command waits parks a goroutine in each way that Go has to wait, in a function named for it, and writes its goroutine
// profile in three forms (goroutine.pb.gz, debug1.txt, debug2.txt) to the folder that it is given.
package main

import (
	"iter"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	sent     = make(chan int) // nobody receives
	received = make(chan int) // nobody sends
	never    = make(chan int)

	mutex   sync.Mutex
	read    sync.RWMutex
	written sync.RWMutex
	group   sync.WaitGroup
	pipe    [2]int
)

func send()          { sent <- 1 }
func receive()       { <-received }
func selectNothing() { select {} }
func sleep()         { time.Sleep(time.Hour) }
func lock()          { mutex.Lock() }
func readLock()      { written.RLock() }
func writeLock()     { read.Lock() }
func waitGroup()     { group.Wait() }

func receiveRange() {
	for range received {
	}
}

func selectTwo() {
	select {
	case <-received:
	case sent <- 1:
	}
}

func condition() {
	var mu sync.Mutex
	mu.Lock()
	sync.NewCond(&mu).Wait()
}

func systemCall() {
	var buffer [1]byte
	syscall.Read(pipe[0], buffer[:])
}

func readPipe() {
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	var buffer [1]byte
	r.Read(buffer[:])
}

// notified makes os/signal wait for signals, in a goroutine of its own.
func notified() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	<-signals
}

// pull leaves a coroutine waiting to be asked for its second value.
func pull() {
	next, stop := iter.Pull(twice)
	defer stop()
	next()
	<-never
}

func twice(yield func(int) bool) { _ = yield(1) && yield(2) }

// unwind waits while it panics: the runtime's frames are in the middle of its stack.
func unwind() {
	defer func() {
		recover()
		<-never
	}()
	panic("unwinds")
}

func spin() {
	for {
		runtime.Gosched()
	}
}

func main() {
	if err := syscall.Pipe(pipe[:]); err != nil {
		log.Fatal(err)
	}
	mutex.Lock()
	read.RLock()
	written.Lock()
	group.Add(1)
	ways := []func(){
		send, receive, receiveRange, selectTwo, selectNothing, sleep, lock, readLock, writeLock, waitGroup, condition, systemCall, readPipe,
		notified, pull, unwind,
	}
	for _, wait := range ways {
		go wait()
	}
	go spin()
	settle(len(ways))
	write("goroutine.pb.gz", 0)
	write("debug1.txt", 1)
	write("debug2.txt", 2)
}

// settle returns once as many goroutines wait.
func settle(ways int) {
	for {
		time.Sleep(10 * time.Millisecond)
		buffer := make([]byte, 1<<20)
		text := string(buffer[:runtime.Stack(buffer, true)])
		if strings.Count(text, " [runn") <= 2 && strings.Count(text, "\ngoroutine ") >= ways {
			return
		}
	}
}

func write(name string, debug int) {
	file, err := os.Create(filepath.Join(os.Args[1], name))
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	if err := pprof.Lookup("goroutine").WriteTo(file, debug); err != nil {
		log.Fatal(err)
	}
}
