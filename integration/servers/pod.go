// What runs in the pods of the tests:
//
//	pod idle                    nothing, until it is told to end
//	pod serve PORT              answers with the host's name; when told to end, only after clients had time to leave
//	pod grow                    lets the server of its container take more memory than it may
//	pod load [flags] URL…       requests, in turn to the URLs, at most until it is told to end; prints as JSON what was
//	                            answered by whom
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Time for proxies to learn that this server is leaving.
const leaving = 2 * time.Second

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	switch os.Args[1] {
	case "idle":
		<-end
	case "serve":
		serve(os.Args[2], end)
	case "grow":
		if err := syscall.Kill(1, syscall.SIGUSR1); err != nil {
			panic(err)
		}
	case "load":
		load(os.Args[2:], end)
	}
}

func serve(port string, end chan os.Signal) {
	host, _ := os.Hostname()
	handler := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, host) }
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(handler)}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			panic(err)
		}
	}()
	grow := make(chan os.Signal, 1)
	signal.Notify(grow, syscall.SIGUSR1)
	go func() {
		<-grow
		for all := [][]byte{}; ; {
			all = append(all, bytes.Repeat([]byte{1}, 1<<20))
		}
	}()
	<-end
	time.Sleep(leaving)
	server.Shutdown(context.Background())
}

type answers struct {
	Answered int            `json:"answered"`
	Failed   int            `json:"failed"`
	By       map[string]int `json:"by"`
	Errors   []string       `json:"errors"`
}

func load(arguments []string, end chan os.Signal) {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	count := flags.Int64("n", 1, "requests")
	duration := flags.Duration("for", 0, "a time, instead of a number of requests")
	workers := flags.Int("c", 1, "at a time")
	pause := flags.Duration("pause", 0, "between requests of one worker")
	keep := flags.Bool("keep", false, "connections are kept, else each request makes one")
	flags.Parse(arguments)
	urls := flags.Args()

	result := answers{By: map[string]int{}}
	var lock sync.Mutex
	var sent atomic.Int64
	until := time.Now().Add(*duration)
	var ended atomic.Bool
	go func() {
		<-end
		ended.Store(true)
	}()
	more := func() (int64, bool) {
		n := sent.Add(1)
		if ended.Load() {
			return n, false
		}
		if *duration > 0 {
			return n, time.Now().Before(until)
		}
		return n, n <= *count
	}
	var done sync.WaitGroup
	for worker := 0; worker < *workers; worker++ {
		done.Add(1)
		go func() {
			defer done.Done()
			client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: !*keep}}
			for n, on := more(); on; n, on = more() {
				by, err := ask(client, urls[int(n)%len(urls)])
				lock.Lock()
				if err == nil {
					result.Answered++
					result.By[by]++
				} else {
					result.Failed++
					result.Errors = append(result.Errors, err.Error())
				}
				lock.Unlock()
				time.Sleep(*pause)
			}
			client.CloseIdleConnections()
		}()
	}
	done.Wait()
	text, _ := json.Marshal(result)
	fmt.Println(string(text))
}

func ask(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
