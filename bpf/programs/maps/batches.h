/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* How far a thread's call that moves several datagrams has come, by thread and direction. */
#define PRINT_WORDS 4
struct batch { __u64 pointer, print[PRINT_WORDS]; __u32 at, pad; };
struct batch_key { __u64 thread; __u32 direction, pad; };
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct batch_key);
	__type(value, struct batch);
} batches SEC(".maps");
