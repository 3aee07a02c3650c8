package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	_ "google.golang.org/protobuf/types/descriptorpb" // options can only be read with their own descriptors linked in
)

// facts says in text all that the wire, JSON and generated code depend on, keyed by what it is about. The file's
// own options are left out: they steer the generators of single languages.
func facts(file protoreflect.FileDescriptor) map[string]string {
	all := map[string]string{"file": fmt.Sprintf("package %s, syntax %s", file.Package(), file.Syntax())}
	for i := range file.Services().Len() {
		addService(all, file.Services().Get(i))
	}
	addEnums(all, file.Enums())
	addMessages(all, file.Messages())
	for i := range file.Extensions().Len() {
		addField(all, file.Extensions().Get(i))
	}
	return all
}

func addService(all map[string]string, service protoreflect.ServiceDescriptor) {
	all["service "+string(service.FullName())] = options(service)
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		all["rpc "+string(method.FullName())] = join(
			"takes "+streamed(method.IsStreamingClient(), method.Input()),
			"returns "+streamed(method.IsStreamingServer(), method.Output()),
			options(method),
		)
	}
}

func addMessages(all map[string]string, messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		message := messages.Get(i)
		all["message "+string(message.FullName())] = join(reserved(message), options(message))
		for j := range message.Fields().Len() {
			addField(all, message.Fields().Get(j))
		}
		for j := range message.Oneofs().Len() {
			oneof := message.Oneofs().Get(j)
			all["oneof "+string(oneof.FullName())] = options(oneof)
		}
		addEnums(all, message.Enums())
		// A map's entry type is among these too, so keys and values are compared as fields.
		addMessages(all, message.Messages())
	}
}

func addField(all map[string]string, field protoreflect.FieldDescriptor) {
	all["field "+string(field.FullName())] = join(
		fmt.Sprintf("number %d", field.Number()),
		field.Cardinality().String(),
		"type "+typeOf(field),
		"json "+field.JSONName(),
		flag(field.IsMap(), "map"),
		flag(field.IsPacked(), "packed"),
		flag(field.HasPresence(), "presence"),
		oneofOf(field),
		options(field),
	)
}

func addEnums(all map[string]string, enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		enum := enums.Get(i)
		all["enum "+string(enum.FullName())] = join(reserved(enum), options(enum))
		for j := range enum.Values().Len() {
			value := enum.Values().Get(j)
			// The full name of a value leaves its enum out.
			key := fmt.Sprintf("enum value %s.%s", enum.FullName(), value.Name())
			all[key] = join(fmt.Sprintf("number %d", value.Number()), options(value))
		}
	}
}

func typeOf(field protoreflect.FieldDescriptor) string {
	switch {
	case field.Message() != nil:
		return string(field.Message().FullName())
	case field.Enum() != nil:
		return string(field.Enum().FullName())
	default:
		return field.Kind().String()
	}
}

func oneofOf(field protoreflect.FieldDescriptor) string {
	if field.ContainingOneof() == nil {
		return ""
	}
	return "oneof " + string(field.ContainingOneof().Name())
}

func streamed(stream bool, message protoreflect.MessageDescriptor) string {
	return strings.TrimSpace(flag(stream, "stream") + " " + string(message.FullName()))
}

// Messages and enums have different types of ranges, but both print them.
func reserved[Ranges interface{ Len() int }](descriptor interface {
	ReservedNames() protoreflect.Names
	ReservedRanges() Ranges
}) string {
	if descriptor.ReservedNames().Len() == 0 && descriptor.ReservedRanges().Len() == 0 {
		return ""
	}
	return fmt.Sprintf("reserved %v %v", descriptor.ReservedNames(), descriptor.ReservedRanges())
}

// options shows deprecated, debug_redact and any other that is set.
func options(descriptor protoreflect.Descriptor) string {
	set := descriptor.Options()
	if !set.ProtoReflect().IsValid() || proto.Size(set) == 0 {
		return ""
	}
	return "options " + prototext.MarshalOptions{}.Format(set)
}

func flag(set bool, name string) string {
	if set {
		return name
	}
	return ""
}

func join(parts ...string) string {
	var some []string
	for _, part := range parts {
		if part != "" {
			some = append(some, part)
		}
	}
	return strings.Join(some, ", ")
}
