package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// differencesAfter compares our proto with one text in it replaced.
func differencesAfter(t *testing.T, old, new string) []string {
	t.Helper()
	proto, err := os.ReadFile("../api.proto")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(proto), old) {
		t.Fatalf("the proto has no %q", old)
	}
	path := filepath.Join(t.TempDir(), "api.proto")
	if err := os.WriteFile(path, []byte(strings.Replace(string(proto), old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	broken, err := compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return diff(facts(broken), facts(standard()))
}

func TestEqual(t *testing.T) {
	if differences := differencesAfter(t, "proto3", "proto3"); len(differences) > 0 {
		t.Errorf("differences: %v", differences)
	}
}

// The comparison is worth nothing if it is blind to a kind of difference, so each kind is made once.
func TestEveryKindOfDifferenceIsFound(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"package":        {"package runtime.v1;", "package runtime.v2;", "differs: file: package runtime.v2"},
		"message":        {"message PodIP {", "message PodAddress { string ip = 1; }\nmessage PodIP {", "extra: message runtime.v1.PodAddress"},
		"missing field":  {"int32 exit_code = 7;", "", "missing: field runtime.v1.ContainerStatus.exit_code: number 7"},
		"extra field":    {"bool pinned = 8;", "bool pinned = 8; bool hot = 9;", "extra: field runtime.v1.Image.hot"},
		"number":         {"bool pinned = 8;", "bool pinned = 9;", "differs: field runtime.v1.Image.pinned: number 9"},
		"type":           {"uint64 size = 4;", "int64 size = 4;", "differs: field runtime.v1.Image.size"},
		"message type":   {"DNSConfig dns_config = 4;", "NetworkConfig dns_config = 4;", "differs: field runtime.v1.PodSandboxConfig.dns_config"},
		"label":          {"repeated string repo_tags = 2;", "string repo_tags = 2;", "differs: field runtime.v1.Image.repo_tags"},
		"presence":       {"uint64 size = 4;", "optional uint64 size = 4;", "differs: field runtime.v1.Image.size"},
		"json name":      {"bool pinned = 8;", `bool pinned = 8 [json_name = "kept"];`, "differs: field runtime.v1.Image.pinned"},
		"packed":         {"repeated int32 port = 2;", "repeated int32 port = 2 [packed = false];", "differs: field runtime.v1.PortForwardRequest.port"},
		"oneof":          {"string username = 6;", "oneof who { string username = 6; }", "extra: oneof runtime.v1.Image.who"},
		"map value":      {"map<string, string> sysctls", "map<string, bytes> sysctls", "differs: field runtime.v1.LinuxPodSandboxConfig.SysctlsEntry.value"},
		"map":            {"map<string, string> sysctls", "repeated KeyValue sysctls", "missing: message runtime.v1.LinuxPodSandboxConfig.SysctlsEntry"},
		"redaction":      {"string auth = 3 [debug_redact = true];", "string auth = 3;", "differs: field runtime.v1.AuthConfig.auth"},
		"deprecation":    {"string seccomp_profile_path = 7 [deprecated = true];", "string seccomp_profile_path = 7;", "differs: field runtime.v1.LinuxSandboxSecurityContext.seccomp_profile_path"},
		"reserved":       {"message PodIP {", "message PodIP { reserved 7;", "differs: message runtime.v1.PodIP: reserved"},
		"enum value":     {"SCTP = 2;", "SCTP = 3;", "differs: enum value runtime.v1.Protocol.SCTP: number 3"},
		"missing value":  {"SCTP = 2;", "", "missing: enum value runtime.v1.Protocol.SCTP"},
		"enum":           {"enum Protocol {", "enum Transport { NONE = 0; }\nenum Protocol {", "extra: enum runtime.v1.Transport"},
		"nested enum":    {"Localhost = 2;", "Local = 2;", "missing: enum value runtime.v1.SecurityProfile.ProfileType.Localhost"},
		"rpc":            {"rpc Attach(AttachRequest) returns (AttachResponse);", "", "missing: rpc runtime.v1.RuntimeService.Attach"},
		"rpc request":    {"rpc Attach(AttachRequest)", "rpc Attach(ExecRequest)", "differs: rpc runtime.v1.RuntimeService.Attach: takes runtime.v1.ExecRequest"},
		"rpc streaming":  {"returns (stream StreamImagesResponse)", "returns (StreamImagesResponse)", "differs: rpc runtime.v1.ImageService.StreamImages"},
		"client streams": {"rpc Attach(AttachRequest)", "rpc Attach(stream AttachRequest)", "differs: rpc runtime.v1.RuntimeService.Attach"},
		"service":        {"service ImageService {", "service Extra {}\nservice ImageService {", "extra: service runtime.v1.Extra"},
	} {
		t.Run(name, func(t *testing.T) {
			differences := differencesAfter(t, test.old, test.new)
			found := func(difference string) bool { return strings.HasPrefix(difference, test.want) }
			if !slices.ContainsFunc(differences, found) {
				t.Errorf("no %q in %v", test.want, differences)
			}
		})
	}
}
