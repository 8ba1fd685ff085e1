/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 << 20);
} data SEC(".maps");
