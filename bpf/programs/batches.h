/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Which message of recvmmsg or sendmmsg a transfer is: the socket-length tracepoints do not say, and nothing that says it
 * costs so little. The calls of one thread count up; one that finds other bytes in the first message is a new call, since
 * only between calls they change. A batch that begins with the very bytes of the last one is taken for its rest. */
#pragma once

static __always_inline bool first_bytes(__u64 pointer, __u64 *print)
{
	struct user_message message;
	struct user_vector vector;
	if (bpf_probe_read_user(&message, sizeof(message), (void *)pointer) || !message.vector_count)
		return false;
	if (bpf_probe_read_user(&vector, sizeof(vector), (void *)message.vectors))
		return false;
	__u64 size = vector.length < sizeof(__u64) * PRINT_WORDS ? vector.length : sizeof(__u64) * PRINT_WORDS;
	return !bpf_probe_read_user(print, size, (void *)vector.base);
}

/* The place of the present transfer in the batch; -1 when its memory cannot be read. */
__noinline int batch_place(__u64 pointer, __u32 count, __u32 direction)
{
	struct batch_key key = { .thread = bpf_get_current_pid_tgid(), .direction = direction };
	struct batch batch = { .pointer = pointer };
	if (!first_bytes(pointer, batch.print))
		return -1;
	struct batch *last = bpf_map_lookup_elem(&batches, &key);
	if (last && last->pointer == pointer && last->print[0] == batch.print[0] && last->print[1] == batch.print[1] &&
	    last->print[2] == batch.print[2] && last->print[3] == batch.print[3] && last->at + 1 < count) {
		last->at += 1;
		return last->at;
	}
	bpf_map_update_elem(&batches, &key, &batch, BPF_ANY);
	return 0;
}
