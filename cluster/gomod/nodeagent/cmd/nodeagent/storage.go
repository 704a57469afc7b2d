package main

import (
	"context"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	storage "sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const (
	provisionerName = "playerscore.dev/node-disk"
	volumeRoot      = "/var/lib/playerscore-volumes"
	selectedNode    = "volume.kubernetes.io/selected-node"
)

// nodeDisk makes a folder on this node for each claim that the scheduler has
// placed here. The volumes are of type local, so that a pod's fsGroup applies.
type nodeDisk struct{ node string }

// provisionVolumes needs no leader: each node serves only its own claims.
func provisionVolumes(ctx context.Context, client kubernetes.Interface, node string) {
	storage.NewProvisionController(
		ctx, client, provisionerName, nodeDisk{node}, storage.LeaderElection(false),
	).Run(ctx)
}

func (d nodeDisk) ShouldProvision(_ context.Context, claim *v1.PersistentVolumeClaim) bool {
	return claim.Annotations[selectedNode] == d.node
}

func (d nodeDisk) ShouldDelete(_ context.Context, volume *v1.PersistentVolume) bool {
	return volume.Labels[v1.LabelHostname] == d.node
}

func (d nodeDisk) Provision(
	_ context.Context, options storage.ProvisionOptions,
) (*v1.PersistentVolume, storage.ProvisioningState, error) {
	path := filepath.Join(volumeRoot, options.PVName)
	if err := makeFolder(path); err != nil {
		return nil, storage.ProvisioningFinished, err
	}
	klog.Infof("made %s for %s/%s", path, options.PVC.Namespace, options.PVC.Name)
	return d.volume(path, options), storage.ProvisioningFinished, nil
}

func (d nodeDisk) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	return os.RemoveAll(filepath.Join(volumeRoot, volume.Name))
}

// makeFolder opens the folder to every user: whose pod it is, is not known yet.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777) // MkdirAll applies the umask
}

func (d nodeDisk) volume(path string, options storage.ProvisionOptions) *v1.PersistentVolume {
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:   options.PVName,
			Labels: map[string]string{v1.LabelHostname: d.node},
		},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			Capacity: v1.ResourceList{
				v1.ResourceStorage: options.PVC.Spec.Resources.Requests[v1.ResourceStorage],
			},
			PersistentVolumeSource: v1.PersistentVolumeSource{
				Local: &v1.LocalVolumeSource{Path: path},
			},
			NodeAffinity: onlyOn(d.node),
		},
	}
}

func onlyOn(node string) *v1.VolumeNodeAffinity {
	return &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{
		NodeSelectorTerms: []v1.NodeSelectorTerm{{
			MatchExpressions: []v1.NodeSelectorRequirement{{
				Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node},
			}},
		}},
	}}
}
