// Package criclient checks a CRI server with the client code that kubelet has, for what critest has no specs for.
// Build it with "go test -c"; it needs -endpoint, -image and -logs.
package criclient

import (
	"context"
	"errors"
	"flag"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var (
	endpoint = flag.String("endpoint", "", "the server's socket: unix:///path")
	image    = flag.String("image", "", "an image with sh and sleep")
	logs     = flag.String("logs", "", "a directory for the logs of pods")
	patience = flag.Duration("patience", time.Minute, "how long a test may take")
)

// Both services, on a connection with the limits of gRPC's own.
type client struct {
	cri.RuntimeServiceClient
	cri.ImageServiceClient
}

func connect(t *testing.T) (client, context.Context) {
	t.Helper()
	conn, err := grpc.NewClient(*endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	t.Cleanup(cancel)
	return client{cri.NewRuntimeServiceClient(conn), cri.NewImageServiceClient(conn)}, ctx
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What a call answers, which must not fail.
func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		check(t, err)
		return value
	}
}

// All messages of a stream, up to its regular end.
func receive[R any](t *testing.T, stream grpc.ServerStreamingClient[R]) []*R {
	t.Helper()
	var all []*R
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all
		}
		check(t, err)
		all = append(all, message)
	}
}

// The items of all messages; none of them is empty (CRI, StreamPodSandboxes: "lists of at least one item").
func items[R, I any](t *testing.T, messages []*R, of func(*R) []*I) []*I {
	t.Helper()
	var all []*I
	for _, message := range messages {
		list := of(message)
		if len(list) == 0 {
			t.Error("a message of the stream has no items")
		}
		all = append(all, list...)
	}
	return all
}
