// Command nodeagent gives a kind node what kind's own node image brings as two
// separate images: a pod network and a default StorageClass. One DaemonSet runs
// it on every node. It enforces no NetworkPolicy.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	client, err := newClient()
	if err != nil {
		klog.Fatal(err)
	}
	node := os.Getenv("NODE_NAME")
	go provisionVolumes(ctx, client, node)
	connectPods(ctx, client, node)
}

// newClient prefers the control plane's own address, which kind sets, because
// the cluster's Service address works only after kube-proxy has started.
func newClient() (kubernetes.Interface, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, err
	}
	if endpoint := os.Getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		config.Host = "https://" + endpoint
	}
	return kubernetes.NewForConfig(config)
}
