package criclient

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestStreamPodSandboxes(t *testing.T) {
	c, ctx := connect(t)
	to := settle(t, c, ctx)
	ready := &cri.PodSandboxStateValue{State: cri.PodSandboxState_SANDBOX_READY}
	notReady := &cri.PodSandboxStateValue{State: cri.PodSandboxState_SANDBOX_NOTREADY}
	cases := []struct {
		name   string
		filter *cri.PodSandboxFilter
		want   []string
	}{
		{"no filter", nil, []string{to.web.id, to.data.id, to.done.id}},
		{"an empty filter", &cri.PodSandboxFilter{}, []string{to.web.id, to.data.id, to.done.id}},
		{"an id", &cri.PodSandboxFilter{Id: to.data.id}, []string{to.data.id}},
		{"the beginning of an id", &cri.PodSandboxFilter{Id: to.data.id[:20]}, []string{to.data.id}},
		{"ready", &cri.PodSandboxFilter{State: ready}, []string{to.web.id, to.data.id}},
		{"not ready", &cri.PodSandboxFilter{State: notReady}, []string{to.done.id}},
		{"a label", &cri.PodSandboxFilter{LabelSelector: map[string]string{"tier": "web"}}, []string{to.web.id, to.done.id}},
		{"all of them", &cri.PodSandboxFilter{State: ready, LabelSelector: map[string]string{"tier": "web"}}, []string{to.web.id}},
		{"nothing", &cri.PodSandboxFilter{Id: "none"}, nil},
	}
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			unary := must[*cri.ListPodSandboxResponse](t)(c.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{Filter: one.filter}))
			stream, err := c.StreamPodSandboxes(ctx, &cri.StreamPodSandboxesRequest{Filter: one.filter})
			check(t, err)
			streamed := items(t, receive(t, stream), (*cri.StreamPodSandboxesResponse).GetPodSandboxes)
			sameMessages(t, streamed, unary.Items)
			sameIds(t, ids(streamed, (*cri.PodSandbox).GetId), one.want)
		})
	}
}

func TestStreamContainers(t *testing.T) {
	c, ctx := connect(t)
	to := settle(t, c, ctx)
	running := &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}
	all := []string{to.webMain, to.webSide, to.webCreated, to.dataMain, to.doneMain}
	cases := []struct {
		name   string
		filter *cri.ContainerFilter
		want   []string
	}{
		{"no filter", nil, all},
		{"an empty filter", &cri.ContainerFilter{}, all},
		{"an id", &cri.ContainerFilter{Id: to.webSide}, []string{to.webSide}},
		{"the beginning of an id", &cri.ContainerFilter{Id: to.webSide[:20]}, []string{to.webSide}},
		{"a pod", &cri.ContainerFilter{PodSandboxId: to.data.id}, []string{to.dataMain}},
		{"a state", &cri.ContainerFilter{State: running}, []string{to.webMain, to.webSide, to.dataMain}},
		{"a label", &cri.ContainerFilter{LabelSelector: map[string]string{"part": "main"}}, []string{to.webMain, to.dataMain}},
		{"all of them", &cri.ContainerFilter{PodSandboxId: to.web.id, State: running, LabelSelector: map[string]string{"part": "main"}}, []string{to.webMain}},
		{"nothing", &cri.ContainerFilter{Id: "none"}, nil},
	}
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			unary := must[*cri.ListContainersResponse](t)(c.ListContainers(ctx, &cri.ListContainersRequest{Filter: one.filter}))
			stream, err := c.StreamContainers(ctx, &cri.StreamContainersRequest{Filter: one.filter})
			check(t, err)
			streamed := items(t, receive(t, stream), (*cri.StreamContainersResponse).GetContainers)
			sameMessages(t, streamed, unary.Containers)
			sameIds(t, ids(streamed, (*cri.Container).GetId), one.want)
		})
	}
}

func TestStreamImages(t *testing.T) {
	c, ctx := connect(t)
	pullImage(t, c, ctx)
	cases := []struct {
		name   string
		filter *cri.ImageFilter
		found  bool
	}{
		{"no filter", nil, true},
		{"an empty filter", &cri.ImageFilter{}, true},
		{"a name", &cri.ImageFilter{Image: &cri.ImageSpec{Image: *image}}, true},
		{"nothing", &cri.ImageFilter{Image: &cri.ImageSpec{Image: "example.test/none:v1"}}, false},
	}
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			unary := must[*cri.ListImagesResponse](t)(c.ListImages(ctx, &cri.ListImagesRequest{Filter: one.filter}))
			stream, err := c.StreamImages(ctx, &cri.StreamImagesRequest{Filter: one.filter})
			check(t, err)
			streamed := items(t, receive(t, stream), (*cri.StreamImagesResponse).GetImages)
			sameMessages(t, streamed, unary.Images)
			found := slices.ContainsFunc(streamed, func(each *cri.Image) bool { return slices.Contains(each.RepoTags, *image) })
			if found != one.found {
				t.Errorf("%s is among %d images: %v", *image, len(streamed), found)
			}
		})
	}
}

// A list of 18 MB: more than a message may have, even with the limits of kubelet.
func TestListsBeyondTheLimitOfAMessage(t *testing.T) {
	const count, size = 9, 2 << 20
	c, ctx := connect(t)
	pullImage(t, c, ctx)
	in := runPod(t, c, ctx, nil)
	want := make([]string, count)
	for i := range want {
		large := map[string]string{"cri-client/large": strings.Repeat("x", size)}
		want[i] = createContainer(t, c, ctx, in, containerOptions{command: idle, annotations: large})
	}
	_, err := c.ListContainers(ctx, &cri.ListContainersRequest{})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the list in one message: %v", err)
	}
	containers, err := c.StreamContainers(ctx, &cri.StreamContainersRequest{})
	check(t, err)
	// It is not read yet: that holds up nobody else.
	_, err = c.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: want[0]})
	check(t, err)
	streamed := items(t, receive(t, containers), (*cri.StreamContainersResponse).GetContainers)
	sameIds(t, ids(streamed, (*cri.Container).GetId), want)
	stats, err := c.StreamContainerStats(ctx, &cri.StreamContainerStatsRequest{})
	check(t, err)
	used := items(t, receive(t, stats), (*cri.StreamContainerStatsResponse).GetContainerStats)
	sameIds(t, ids(used, statsId), want)
}

// What is small comes together, so that a list costs few messages.
func TestStreamsAreFewMessages(t *testing.T) {
	c, ctx := connect(t)
	settle(t, c, ctx)
	stream, err := c.StreamContainers(ctx, &cri.StreamContainersRequest{})
	check(t, err)
	if messages := receive(t, stream); len(messages) != 1 {
		t.Errorf("five containers came in %d messages", len(messages))
	}
}

func ids[T any](all []*T, id func(*T) string) []string {
	var found []string
	for _, one := range all {
		found = append(found, id(one))
	}
	return found
}

func sameIds(t *testing.T, got, want []string) {
	t.Helper()
	sorted := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	if !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// In the same order, too: both list what there is as it is kept.
func sameMessages[T any, M interface {
	*T
	proto.Message
}](t *testing.T, got, want []M) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d are streamed, %d are in the list", len(got), len(want))
	}
	for i := range got {
		if !proto.Equal(got[i], want[i]) {
			t.Errorf("number %d is streamed as\n%v\nand listed as\n%v", i, got[i], want[i])
		}
	}
}
