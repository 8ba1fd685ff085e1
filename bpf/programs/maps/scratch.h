/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* The payload is twice the limit, so that any masked offset plus any masked length stays inside. */
#define PAYLOAD_LIMIT 4096
struct scratch {
	struct data_header header;
	__u8 payload[2 * PAYLOAD_LIMIT];
	__u32 vector, inside; /* how far the vectors of the present transfer were copied */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");
