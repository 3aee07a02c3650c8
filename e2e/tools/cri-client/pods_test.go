package criclient

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Ends at once when it is told to.
const idle = `trap "exit 0" TERM; while :; do sleep 3600 & wait; done`

var (
	run     = fmt.Sprint(time.Now().UnixNano())
	counter atomic.Int64
)

type pod struct {
	id     string
	config *cri.PodSandboxConfig
}

func podConfig(labels map[string]string) *cri.PodSandboxConfig {
	name := fmt.Sprintf("pod-%s-%d", run, counter.Add(1))
	return &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: name, Namespace: "cri-client"},
		Hostname:     "cri-client",
		LogDirectory: filepath.Join(*logs, name),
		Labels:       labels,
		Linux:        &cri.LinuxPodSandboxConfig{},
	}
}

// Runs a pod that is removed when the test is over.
func runPod(t *testing.T, c client, ctx context.Context, labels map[string]string) pod {
	t.Helper()
	config := podConfig(labels)
	answer := must[*cri.RunPodSandboxResponse](t)(c.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config}))
	t.Cleanup(func() { removePod(t, c, answer.PodSandboxId) })
	return pod{answer.PodSandboxId, config}
}

func removePod(t *testing.T, c client, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	defer cancel()
	if _, err := c.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
		t.Error(err)
	}
	if _, err := c.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id}); err != nil {
		t.Error(err)
	}
}

type containerOptions struct {
	labels, annotations map[string]string
	command             string
}

func createContainer(t *testing.T, c client, ctx context.Context, in pod, options containerOptions) string {
	t.Helper()
	name := fmt.Sprintf("c-%d", counter.Add(1))
	config := &cri.ContainerConfig{
		Metadata:    &cri.ContainerMetadata{Name: name},
		Image:       &cri.ImageSpec{Image: *image},
		Command:     []string{"sh", "-c", options.command},
		LogPath:     name + ".log",
		Labels:      options.labels,
		Annotations: options.annotations,
		Linux:       &cri.LinuxContainerConfig{},
	}
	request := &cri.CreateContainerRequest{PodSandboxId: in.id, Config: config, SandboxConfig: in.config}
	return must[*cri.CreateContainerResponse](t)(c.CreateContainer(ctx, request)).ContainerId
}

func startContainer(t *testing.T, c client, ctx context.Context, id string) {
	t.Helper()
	_, err := c.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: id})
	check(t, err)
}

func stopContainer(t *testing.T, c client, ctx context.Context, id string) {
	t.Helper()
	_, err := c.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: id, Timeout: 30})
	check(t, err)
}

func pullImage(t *testing.T, c client, ctx context.Context) {
	t.Helper()
	_, err := c.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: *image}})
	check(t, err)
}

// Three pods with containers in every state: enough for every filter to have something to leave out.
type town struct {
	web, data, done              pod
	webMain, webSide, webCreated string
	dataMain, doneMain           string
}

func settle(t *testing.T, c client, ctx context.Context) town {
	t.Helper()
	pullImage(t, c, ctx)
	started := func(in pod, labels map[string]string) string {
		id := createContainer(t, c, ctx, in, containerOptions{labels: labels, command: idle})
		startContainer(t, c, ctx, id)
		return id
	}
	var to town
	to.web = runPod(t, c, ctx, map[string]string{"tier": "web", "zone": "a"})
	to.data = runPod(t, c, ctx, map[string]string{"tier": "data", "zone": "a"})
	to.done = runPod(t, c, ctx, map[string]string{"tier": "web", "zone": "b"})
	to.webMain = started(to.web, map[string]string{"app": "x", "part": "main"})
	to.webSide = started(to.web, map[string]string{"app": "x"})
	to.webCreated = createContainer(t, c, ctx, to.web, containerOptions{command: idle})
	to.dataMain = started(to.data, map[string]string{"app": "y", "part": "main"})
	to.doneMain = started(to.done, map[string]string{"app": "x"})
	stopContainer(t, c, ctx, to.doneMain)
	_, err := c.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: to.done.id})
	check(t, err)
	return to
}
