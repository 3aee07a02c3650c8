//go:build tools

// Package tools pins the runc that the end-to-end tests use beside the distribution's, so that
// "go mod tidy" keeps the sums of everything that it imports.
package tools

import _ "github.com/opencontainers/runc"
