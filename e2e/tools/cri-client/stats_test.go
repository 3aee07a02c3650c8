package criclient

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestStreamContainerStats(t *testing.T) {
	c, ctx := connect(t)
	to := settle(t, c, ctx)
	all := []string{to.webMain, to.webSide, to.webCreated, to.dataMain, to.doneMain}
	cases := []struct {
		name   string
		filter *cri.ContainerStatsFilter
		want   []string
	}{
		{"no filter", nil, all},
		{"an empty filter", &cri.ContainerStatsFilter{}, all},
		{"an id", &cri.ContainerStatsFilter{Id: to.webSide}, []string{to.webSide}},
		{"a pod", &cri.ContainerStatsFilter{PodSandboxId: to.data.id}, []string{to.dataMain}},
		{"a label", &cri.ContainerStatsFilter{LabelSelector: map[string]string{"app": "x"}}, []string{to.webMain, to.webSide, to.doneMain}},
		{"all of them", &cri.ContainerStatsFilter{PodSandboxId: to.web.id, LabelSelector: map[string]string{"part": "main"}}, []string{to.webMain}},
		{"nothing", &cri.ContainerStatsFilter{Id: "none"}, nil},
	}
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			list := func() []*cri.ContainerStats {
				request := &cri.ListContainerStatsRequest{Filter: one.filter}
				return must[*cri.ListContainerStatsResponse](t)(c.ListContainerStats(ctx, request)).Stats
			}
			before := list()
			stream, err := c.StreamContainerStats(ctx, &cri.StreamContainerStatsRequest{Filter: one.filter})
			check(t, err)
			streamed := items(t, receive(t, stream), (*cri.StreamContainerStatsResponse).GetContainerStats)
			sameIds(t, ids(streamed, statsId), one.want)
			containerStatsBetween(t, before, streamed, list())
		})
	}
}

func TestStreamPodSandboxStats(t *testing.T) {
	c, ctx := connect(t)
	to := settle(t, c, ctx)
	cases := []struct {
		name   string
		filter *cri.PodSandboxStatsFilter
		want   []string
	}{
		{"no filter", nil, []string{to.web.id, to.data.id}},
		{"an empty filter", &cri.PodSandboxStatsFilter{}, []string{to.web.id, to.data.id}},
		{"an id", &cri.PodSandboxStatsFilter{Id: to.data.id}, []string{to.data.id}},
		{"a label", &cri.PodSandboxStatsFilter{LabelSelector: map[string]string{"tier": "web"}}, []string{to.web.id}},
		{"nothing", &cri.PodSandboxStatsFilter{Id: "none"}, nil},
	}
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			list := func() []*cri.PodSandboxStats {
				request := &cri.ListPodSandboxStatsRequest{Filter: one.filter}
				return must[*cri.ListPodSandboxStatsResponse](t)(c.ListPodSandboxStats(ctx, request)).Stats
			}
			before := list()
			stream, err := c.StreamPodSandboxStats(ctx, &cri.StreamPodSandboxStatsRequest{Filter: one.filter})
			check(t, err)
			streamed := items(t, receive(t, stream), (*cri.StreamPodSandboxStatsResponse).GetPodSandboxStats)
			after := list()
			sameIds(t, ids(streamed, func(of *cri.PodSandboxStats) string { return of.Attributes.Id }), one.want)
			if len(before) != len(streamed) || len(after) != len(streamed) {
				t.Fatalf("%d, then %d, then %d pods", len(before), len(streamed), len(after))
			}
			for i, now := range streamed {
				if !proto.Equal(now.Attributes, before[i].Attributes) {
					t.Errorf("attributes are %v, and %v in the list", now.Attributes, before[i].Attributes)
				}
				between(t, "cpu", before[i].Linux.Cpu.UsageCoreNanoSeconds, now.Linux.Cpu.UsageCoreNanoSeconds, after[i].Linux.Cpu.UsageCoreNanoSeconds)
				containerStatsBetween(t, before[i].Linux.Containers, now.Linux.Containers, after[i].Linux.Containers)
			}
		})
	}
}

func TestStreamPodSandboxMetrics(t *testing.T) {
	c, ctx := connect(t)
	to := settle(t, c, ctx)
	request := &cri.ListPodSandboxMetricsRequest{}
	unary := must[*cri.ListPodSandboxMetricsResponse](t)(c.ListPodSandboxMetrics(ctx, request)).PodMetrics
	stream, err := c.StreamPodSandboxMetrics(ctx, &cri.StreamPodSandboxMetricsRequest{})
	check(t, err)
	streamed := items(t, receive(t, stream), (*cri.StreamPodSandboxMetricsResponse).GetPodSandboxMetrics)
	sameIds(t, ids(streamed, (*cri.PodSandboxMetrics).GetPodSandboxId), []string{to.web.id, to.data.id})
	if len(unary) != len(streamed) {
		t.Fatalf("%d pods are streamed, %d are in the list", len(streamed), len(unary))
	}
	for i, pod := range streamed {
		sameMetrics(t, pod.Metrics, unary[i].Metrics)
		sameIds(t, ids(pod.ContainerMetrics, (*cri.ContainerMetrics).GetContainerId), ids(unary[i].ContainerMetrics, (*cri.ContainerMetrics).GetContainerId))
		for j, container := range pod.ContainerMetrics {
			sameMetrics(t, container.Metrics, unary[i].ContainerMetrics[j].Metrics)
		}
	}
}

// The same names and labels; counters only grow.
func sameMetrics(t *testing.T, streamed, listed []*cri.Metric) {
	t.Helper()
	if len(streamed) == 0 || len(streamed) != len(listed) {
		t.Fatalf("%d metrics are streamed, %d are in the list", len(streamed), len(listed))
	}
	for i, metric := range streamed {
		one := listed[i]
		if metric.Name != one.Name || metric.MetricType != one.MetricType || !slices.Equal(metric.LabelValues, one.LabelValues) {
			t.Errorf("metric %v is %v in the list", metric, one)
		}
		if metric.MetricType == cri.MetricType_COUNTER && metric.Value.Value < one.Value.Value {
			t.Errorf("counter %s went from %d to %d", metric.Name, one.Value.Value, metric.Value.Value)
		}
	}
}

// What was streamed lies between two lists: the same containers, and times and counters that only grow.
func containerStatsBetween(t *testing.T, before, streamed, after []*cri.ContainerStats) {
	t.Helper()
	if len(before) != len(streamed) || len(after) != len(streamed) {
		t.Fatalf("%d, then %d, then %d containers", len(before), len(streamed), len(after))
	}
	for i, now := range streamed {
		if !proto.Equal(now.Attributes, before[i].Attributes) {
			t.Errorf("attributes are %v, and %v in the list", now.Attributes, before[i].Attributes)
		}
		if (now.Cpu == nil) != (before[i].Cpu == nil) || (now.Memory == nil) != (before[i].Memory == nil) {
			t.Errorf("the stream has other fields than the list: %v, %v", now, before[i])
			continue
		}
		if now.Cpu != nil {
			between(t, "cpu", before[i].Cpu.UsageCoreNanoSeconds, now.Cpu.UsageCoreNanoSeconds, after[i].Cpu.UsageCoreNanoSeconds)
		}
	}
}

func between(t *testing.T, what string, before, now, after *cri.UInt64Value) {
	t.Helper()
	if now == nil || now.Value < before.GetValue() || now.Value > after.GetValue() {
		t.Errorf("%s is %v, after %v and before %v", what, now, before, after)
	}
}

func statsId(stats *cri.ContainerStats) string { return stats.GetAttributes().GetId() }
