//go:build tools

// Package tools pins the API server and the kubelet that the end-to-end tests run, from one module, so that
// what both import is compiled once, and so that "go mod tidy" keeps the sums of all of it.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
