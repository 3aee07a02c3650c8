//go:build tools

// Package tools pins the etcd that the end-to-end tests run for the API server, so that
// "go mod tidy" keeps the sums of everything that it imports.
package tools

import _ "go.etcd.io/etcd/server/v3"
