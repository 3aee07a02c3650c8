package main

import (
	"fmt"
	"maps"
	"slices"
)

// diff lists what is missing in ours, extra in it, or different, in the order of the keys.
func diff(ours, theirs map[string]string) []string {
	keys := maps.Clone(ours)
	maps.Copy(keys, theirs)
	var differences []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		our, inOurs := ours[key]
		their, inTheirs := theirs[key]
		switch {
		case !inOurs:
			differences = append(differences, fmt.Sprintf("missing: %s: %s", key, their))
		case !inTheirs:
			differences = append(differences, fmt.Sprintf("extra: %s: %s", key, our))
		case our != their:
			differences = append(differences, fmt.Sprintf("differs: %s: %s; should be %s", key, our, their))
		}
	}
	return differences
}
