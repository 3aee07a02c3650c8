//go:build tools

// Package tools pins what the end-to-end tests build from cri-tools, so that
// "go mod tidy" keeps the sums of everything that crictl and critest import.
package tools

import (
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
	_ "sigs.k8s.io/cri-tools/pkg/benchmark"
	_ "sigs.k8s.io/cri-tools/pkg/framework"
	_ "sigs.k8s.io/cri-tools/pkg/validate"
)
