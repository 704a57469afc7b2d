package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const cniConfig = "/etc/cni/net.d/10-playerscore.conflist"

// resync repairs a route that somebody removed.
const resync = 30 * time.Second

type object = map[string]any

// connectPods configures this node's pods and keeps a route to the pods of
// every other node, until the context ends.
func connectPods(ctx context.Context, client kubernetes.Interface, self string) {
	factory := informers.NewSharedInformerFactory(client, resync)
	update := func(item any) { connect(item.(*v1.Node), self) }
	_, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    update,
		UpdateFunc: func(_, item any) { update(item) },
	})
	if err != nil {
		klog.Fatal(err)
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
}

func connect(node *v1.Node, self string) {
	_, pods, err := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil {
		return // the range is not assigned yet; its assignment is another event
	}
	if node.Name == self {
		err = writeConfig(pods)
	} else {
		err = addRoute(pods, node)
	}
	if err != nil {
		klog.Errorf("%s: %v", node.Name, err)
	}
}

// writeConfig is written once: the container runtime reads it again on change.
func writeConfig(pods *net.IPNet) error {
	if _, err := os.Stat(cniConfig); err == nil {
		return nil
	}
	content, err := json.Marshal(object{
		"cniVersion": "1.0.0",
		"name":       "playerscore",
		"plugins": []object{
			{"type": "ptp", "ipMasq": true, "ipam": object{
				"type": "host-local", "dataDir": "/run/cni-ipam-state",
				"ranges": [][]object{{{"subnet": pods.String()}}},
				"routes": []object{{"dst": "0.0.0.0/0"}},
			}},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	})
	if err != nil {
		return err
	}
	klog.Infof("pods of this node get addresses of %s", pods)
	return os.WriteFile(cniConfig, content, 0o644)
}

func addRoute(pods *net.IPNet, node *v1.Node) error {
	for _, address := range node.Status.Addresses {
		if address.Type == v1.NodeInternalIP {
			return netlink.RouteReplace(&netlink.Route{Dst: pods, Gw: net.ParseIP(address.Address)})
		}
	}
	return nil
}
