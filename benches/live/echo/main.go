// A unary gRPC echo, and what loads it: echo serve [-tls]; echo load -port N [-tls] -seconds N
//
// `serve` prints its port. `load` prints the calls that were answered and how many that is a second.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	connections = 8
	callers     = 64
	method      = "/bench.Echo/Echo"
)

var message = wrapperspb.String(strings.Repeat("x", 100))

func echo(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new(wrapperspb.StringValue)
	return request, decode(request)
}

var service = grpc.ServiceDesc{
	ServiceName: "bench.Echo",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"echo"}}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

func serve(secure bool) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	var options []grpc.ServerOption
	if secure {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(ptr(certificate()))))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&service, nil)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	check(server.Serve(listener))
}

func load(secure bool, port int, duration time.Duration) {
	credential := insecure.NewCredentials()
	if secure {
		credential = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	var peers [connections]*grpc.ClientConn
	for at := range peers {
		peer, err := grpc.NewClient(fmt.Sprintf("passthrough:127.0.0.1:%d", port), grpc.WithTransportCredentials(credential))
		check(err)
		peers[at] = peer
	}
	var answered atomic.Int64
	var group sync.WaitGroup
	started := time.Now()
	for caller := range callers {
		group.Go(func() {
			reply := new(wrapperspb.StringValue)
			for time.Since(started) < duration {
				check(peers[caller%connections].Invoke(context.Background(), method, message, reply))
				answered.Add(1)
			}
		})
	}
	group.Wait()
	fmt.Printf("%d %.1f\n", answered.Load(), float64(answered.Load())/time.Since(started).Seconds())
}

func ptr[T any](value T) *T { return &value }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	flags := flag.NewFlagSet("echo", flag.ExitOnError)
	secure := flags.Bool("tls", false, "through TLS")
	port := flags.Int("port", 0, "the server's")
	seconds := flags.Int("seconds", 5, "how long")
	if len(os.Args) < 2 {
		log.Fatal("echo serve|load")
	}
	check(flags.Parse(os.Args[2:]))
	switch os.Args[1] {
	case "serve":
		serve(*secure)
	case "load":
		load(*secure, *port, time.Duration(*seconds)*time.Second)
	default:
		log.Fatal("echo serve|load")
	}
}
