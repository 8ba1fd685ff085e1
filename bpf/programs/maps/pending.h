/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* Sockets seen opening whose owner or scope is not decided yet. */
struct pending_open { __u64 opened_ns, start_boottime_ns; __u32 tgid, role; };
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct pending_open);
} pending SEC(".maps");
