/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} namespaces SEC(".maps");
