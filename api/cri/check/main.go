// Command check compares a proto file with the descriptor that k8s.io/cri-api was generated from, and prints
// every difference: check FILE.proto. It exits with 1 if there is any.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	if len(os.Args) != 2 {
		fail("usage: check FILE.proto")
	}
	ours, err := compile(os.Args[1])
	if err != nil {
		fail(err)
	}
	theirs := facts(standard())
	differences := diff(facts(ours), theirs)
	for _, difference := range differences {
		fmt.Println(difference)
	}
	if len(differences) > 0 {
		fail(fmt.Sprintf("%s differs from k8s.io/cri-api in %d places", os.Args[1], len(differences)))
	}
	fmt.Printf("%s equals k8s.io/cri-api: %d facts compared\n", os.Args[1], len(theirs))
}

// The descriptor is found through a message of it: the file variable's name changes between releases.
func standard() protoreflect.FileDescriptor {
	return (&cri.VersionRequest{}).ProtoReflect().Descriptor().ParentFile()
}

func compile(path string) (protoreflect.FileDescriptor, error) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), path)
	if err != nil {
		return nil, err
	}
	return files[0], nil
}

func fail(reason any) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
