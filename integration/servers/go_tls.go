// net/http through crypto/tls, each end by itself:
//
//	go_tls serve PORT ACCESS_LOG            HTTP/1.1 and HTTP/2, with a certificate of its own making
//	go_tls ask URL PROTOCOL BEFORE AFTER    so many requests on one connection, a line of input, and so many more
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	var err error
	if os.Args[1] == "serve" {
		err = serve(os.Args[2], os.Args[3])
	} else {
		err = ask(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func serve(port, path string) error {
	log, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	own, err := certificate()
	if err != nil {
		return err
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		status, body := 200, []byte(fmt.Sprintf("%s %d\n", r.Method, size))
		switch {
		case strings.HasPrefix(r.URL.Path, "/missing"):
			status = 404
		case strings.HasPrefix(r.URL.Path, "/large"):
			body = bytes.Repeat([]byte("y"), 200_000)
		case strings.HasPrefix(r.URL.Path, "/echo.Echo/"):
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			body = message("answer")
			defer w.Header().Set("Grpc-Status", "0")
		}
		fmt.Fprintf(log, "%s %s %d %d\n", r.Method, r.RequestURI, status, len(body))
		w.WriteHeader(status)
		w.Write(body)
	}
	server := http.Server{
		Addr: "127.0.0.1:" + port, Handler: http.HandlerFunc(answer),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{own}},
	}
	return server.ListenAndServeTLS("", "")
}

// A message of gRPC: not compressed, its length, a string as field 1.
func message(text string) []byte {
	payload := append([]byte{0x0a, byte(len(text))}, text...)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(payload))), payload...)
}

func ask(url, protocol, before, after string) error {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: protocol == "2",
		MaxConnsPerHost: 1, DisableCompression: true,
	}
	client := &http.Client{Transport: transport}
	first, _ := strconv.Atoi(before)
	rest, err := strconv.Atoi(after)
	if err != nil {
		return err
	}
	for number := range first {
		if err := one(client, url, protocol, -1-number); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	var wait sync.WaitGroup
	failures := make(chan error, rest)
	for number := range rest {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := one(client, url, protocol, number); err != nil {
				failures <- err
			}
		}()
	}
	wait.Wait()
	close(failures)
	return <-failures
}

// The requests differ by their number: a small one, one with a body, one with a large answer, one that fails, a call.
func one(client *http.Client, url, protocol string, number int) error {
	kinds := []string{"/item", "/taken", "/large", "/missing", "/echo.Echo/Say"}
	kind := kinds[((number%len(kinds))+len(kinds))%len(kinds)]
	method, body := "GET", []byte(nil)
	if kind == "/taken" {
		method, body = "POST", bytes.Repeat([]byte("z"), 1000+number)
	}
	if kind == "/echo.Echo/Say" {
		method, body = "POST", message("question")
	}
	request, err := http.NewRequest(method, fmt.Sprintf("%s%s?n=%d", url, kind, number), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if kind == "/echo.Echo/Say" {
		request.Header.Set("Content-Type", "application/grpc")
		request.Header.Set("TE", "trailers")
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if want := map[string]int{"1": 1, "2": 2}[protocol]; response.ProtoMajor != want {
		return fmt.Errorf("HTTP/%d was spoken", response.ProtoMajor)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
