/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct loss_count);
} losses SEC(".maps");
