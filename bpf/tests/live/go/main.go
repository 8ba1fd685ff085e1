// Talks TLS to itself: program CONNECTIONS ROUNDS. What is asked is echoed.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type behind struct {
	name string
	net.Conn
}

type around struct {
	net.Conn
	name string
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func listen() net.Listener {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	must(err)
	own := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}})
	must(err)
	return listener
}

func connect(address string, number int) *tls.Conn {
	conn, err := net.Dial("tcp", address)
	must(err)
	switch number % 4 {
	case 1:
		conn = around{conn, "around"}
	case 2:
		conn = &behind{"behind", conn}
	case 3:
		conn = &around{&behind{"behind", conn}, "around"}
	}
	client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	must(client.Handshake())
	return client
}

// Grows the stack by some kilobytes for every level.
func deep(level int, write func()) byte {
	var room [4096]byte
	room[level] = 1
	if level == 0 {
		write()
		return room[0]
	}
	return deep(level-1, write) + room[level]
}

func talk(client *tls.Conn, number, rounds int) {
	answers := bufio.NewReader(client)
	for round := 0; round < rounds; round++ {
		question := fmt.Sprintf("question %d.%d %s\n", number, round, strings.Repeat("?", round))
		done := make(chan bool)
		// Every question comes from a goroutine of its own, whose stack is still small.
		go func() {
			deep(round%16, func() { io.WriteString(client, question) })
			done <- true
		}()
		<-done
		answer, err := answers.ReadString('\n')
		must(err)
		if answer != question {
			panic(answer)
		}
	}
}

func main() {
	connections, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	listener := listen()
	go func() {
		for {
			conn, err := listener.Accept()
			must(err)
			go io.Copy(struct{ io.Writer }{conn}, struct{ io.Reader }{conn})
		}
	}()
	older := connect(listener.Addr().String(), 0)
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	input.ReadString('\n')
	var wait sync.WaitGroup
	wait.Add(connections + 1)
	go func() { defer wait.Done(); talk(older, 0, rounds) }()
	for number := 1; number <= connections; number++ {
		number := number
		go func() { defer wait.Done(); talk(connect(listener.Addr().String(), number), number, rounds) }()
	}
	wait.Wait()
	fmt.Println("done")
	input.ReadString('\n')
}
