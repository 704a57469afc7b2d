//go:build tools

// Package tools names the programs this module exists to build.
package tools

import (
	_ "sigs.k8s.io/kueue/cmd/kueue"
)
