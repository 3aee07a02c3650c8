package criclient

import (
	"context"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	created = cri.ContainerEventType_CONTAINER_CREATED_EVENT
	started = cri.ContainerEventType_CONTAINER_STARTED_EVENT
	stopped = cri.ContainerEventType_CONTAINER_STOPPED_EVENT
	deleted = cri.ContainerEventType_CONTAINER_DELETED_EVENT
)

type event struct {
	of   string
	kind cri.ContainerEventType
}

// A reader that has surely begun: the server tells of what happens once it has taken the call, so pods are run until
// the reader hears of one. Their events are read; returns the last of them, too, for those who read already.
func readEvents(t *testing.T, c client, ctx context.Context) (<-chan *cri.ContainerEventResponse, string) {
	t.Helper()
	stream, err := c.GetContainerEvents(ctx, &cri.GetEventsRequest{})
	check(t, err)
	events := make(chan *cri.ContainerEventResponse, 1000)
	heard := make(chan struct{})
	go forward(stream, events, sync.OnceFunc(func() { close(heard) }))
	for {
		removed := runPodBriefly(t, c, ctx)
		select {
		case <-heard:
			skipUntilDeleted(t, ctx, events, removed)
			return events, removed
		default:
		}
	}
}

func forward(stream grpc.ServerStreamingClient[cri.ContainerEventResponse], to chan<- *cri.ContainerEventResponse, heard func()) {
	defer close(to)
	for {
		one, err := stream.Recv()
		if err != nil {
			return
		}
		to <- one
		heard()
	}
}

func runPodBriefly(t *testing.T, c client, ctx context.Context) string {
	t.Helper()
	request := &cri.RunPodSandboxRequest{Config: podConfig(nil)}
	id := must[*cri.RunPodSandboxResponse](t)(c.RunPodSandbox(ctx, request)).PodSandboxId
	removePod(t, c, id)
	return id
}

func skipUntilDeleted(t *testing.T, ctx context.Context, events <-chan *cri.ContainerEventResponse, id string) {
	t.Helper()
	for {
		if one := next(t, ctx, events); one.ContainerId == id && one.ContainerEventType == deleted {
			return
		}
	}
}

func next(t *testing.T, ctx context.Context, events <-chan *cri.ContainerEventResponse) *cri.ContainerEventResponse {
	t.Helper()
	select {
	case one, open := <-events:
		if !open {
			t.Fatal("the stream of events has ended")
		}
		return one
	case <-ctx.Done():
		t.Fatal("no further event came")
	}
	return nil
}

// A pod from run to removal with two containers: one is stopped, the other ends by itself.
type life struct {
	pod, stopped, ended string
}

func live(t *testing.T, c client, ctx context.Context) life {
	config := podConfig(nil)
	id := must[*cri.RunPodSandboxResponse](t)(c.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config})).PodSandboxId
	in := pod{id, config}
	one := createContainer(t, c, ctx, in, containerOptions{command: idle})
	startContainer(t, c, ctx, one)
	other := createContainer(t, c, ctx, in, containerOptions{command: "exit 7"})
	startContainer(t, c, ctx, other)
	awaitExit(t, c, ctx, other)
	stopContainer(t, c, ctx, one)
	for _, container := range []string{one, other} {
		_, err := c.RemoveContainer(ctx, &cri.RemoveContainerRequest{ContainerId: container})
		check(t, err)
	}
	removePod(t, c, id)
	return life{id, one, other}
}

func awaitExit(t *testing.T, c client, ctx context.Context, id string) {
	for {
		status := must[*cri.ContainerStatusResponse](t)(c.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: id})).Status
		if status.State == cri.ContainerState_CONTAINER_EXITED {
			return
		}
	}
}

func (of life) events() []event {
	return []event{
		{of.pod, created}, {of.pod, started},
		{of.stopped, created}, {of.stopped, started},
		{of.ended, created}, {of.ended, started}, {of.ended, stopped},
		{of.stopped, stopped}, {of.stopped, deleted}, {of.ended, deleted},
		{of.pod, stopped}, {of.pod, deleted},
	}
}

func TestEventsOfAPodsLife(t *testing.T) {
	c, ctx := connect(t)
	pullImage(t, c, ctx)
	events, _ := readEvents(t, c, ctx)
	of := live(t, c, ctx)
	var last int64
	for _, want := range of.events() {
		got := next(t, ctx, events)
		if got.ContainerId != want.of || got.ContainerEventType != want.kind {
			t.Fatalf("got %v of %s, want %v of %s", got.ContainerEventType, got.ContainerId, want.kind, want.of)
		}
		if got.CreatedAt < last {
			t.Errorf("%v of %s is at %d, before %d", want.kind, want.of, got.CreatedAt, last)
		}
		last = got.CreatedAt
		tellsHowItWas(t, got, of)
	}
}

// An event has the pod as it was right then.
func tellsHowItWas(t *testing.T, got *cri.ContainerEventResponse, of life) {
	t.Helper()
	if got.ContainerId == of.pod {
		podAsItWas(t, got)
		return
	}
	if got.PodSandboxStatus.GetState() != cri.PodSandboxState_SANDBOX_READY {
		t.Errorf("%v: the pod is %v", got.ContainerEventType, got.PodSandboxStatus)
	}
	states := map[cri.ContainerEventType]cri.ContainerState{
		created: cri.ContainerState_CONTAINER_CREATED,
		started: cri.ContainerState_CONTAINER_RUNNING,
		stopped: cri.ContainerState_CONTAINER_EXITED,
	}
	at := slices.IndexFunc(got.ContainersStatuses, func(status *cri.ContainerStatus) bool { return status.Id == got.ContainerId })
	want, there := states[got.ContainerEventType]
	if there != (at >= 0) || (there && got.ContainersStatuses[at].State != want) {
		t.Errorf("%v: the containers are %v", got.ContainerEventType, got.ContainersStatuses)
	}
	if got.ContainerId == of.ended && got.ContainerEventType == stopped && got.ContainersStatuses[at].ExitCode != 7 {
		t.Errorf("the exit code is %d", got.ContainersStatuses[at].ExitCode)
	}
}

func podAsItWas(t *testing.T, got *cri.ContainerEventResponse) {
	t.Helper()
	states := map[cri.ContainerEventType]cri.PodSandboxState{
		created: cri.PodSandboxState_SANDBOX_READY,
		started: cri.PodSandboxState_SANDBOX_READY,
		stopped: cri.PodSandboxState_SANDBOX_NOTREADY,
		// kubelet drops an event without a pod.
		deleted: cri.PodSandboxState_SANDBOX_NOTREADY,
	}
	if got.PodSandboxStatus == nil || got.PodSandboxStatus.State != states[got.ContainerEventType] {
		t.Errorf("%v of the pod: it is %v", got.ContainerEventType, got.PodSandboxStatus)
	}
}

// Pods that live side by side: each one's events come in its own order, and all readers see all of them alike.
func TestEventsOfManyPods(t *testing.T) {
	c, ctx := connect(t)
	pullImage(t, c, ctx)
	first, _ := readEvents(t, c, ctx)
	second, last := readEvents(t, c, ctx)
	skipUntilDeleted(t, ctx, first, last)
	lives := make([]life, 3)
	var group sync.WaitGroup
	for i := range lives {
		group.Go(func() { lives[i] = live(t, c, ctx) })
	}
	group.Wait()
	var seen [2][]event
	for reader, events := range []<-chan *cri.ContainerEventResponse{first, second} {
		for range 3 * len(life{}.events()) {
			got := next(t, ctx, events)
			seen[reader] = append(seen[reader], event{got.ContainerId, got.ContainerEventType})
		}
	}
	if !slices.Equal(seen[0], seen[1]) {
		t.Errorf("one reader saw %v\nthe other %v", seen[0], seen[1])
	}
	for _, of := range lives {
		own := slices.DeleteFunc(slices.Clone(seen[0]), func(one event) bool {
			return one.of != of.pod && one.of != of.stopped && one.of != of.ended
		})
		if !slices.Equal(own, of.events()) {
			t.Errorf("got %v\nwant %v", own, of.events())
		}
	}
}
