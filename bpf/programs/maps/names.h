/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* Names of sockets without a cookie, by their address, on kernels that are traced by syscalls. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} names SEC(".maps");
