// net/http with the shared routes: main PORT ACCESS_LOG
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	log, err := os.OpenFile(os.Args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		if strings.HasPrefix(r.URL.Path, "/slow") {
			time.Sleep(50 * time.Millisecond)
		}
		status, body := 200, fmt.Sprintf("%s %d\n", r.Method, size)
		switch r.URL.Path {
		case "/missing":
			status = 404
		case "/large":
			body = strings.Repeat("y", 200_000)
		}
		sent := len(body)
		if r.Method == "HEAD" {
			sent = 0
		}
		fmt.Fprintf(log, "%s %s %d %d\n", r.Method, r.RequestURI, status, sent)
		w.WriteHeader(status)
		if sent > 0 {
			io.WriteString(w, body)
		}
	}
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(handler)); err != nil {
		panic(err)
	}
}
