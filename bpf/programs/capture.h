/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

#define VECTOR_LIMIT 1024 /* the kernel's own */
#define FIRST_VECTOR_LIMIT 2048

/* Copies one buffer to the scratch; 0 when user memory could not be read. */
__noinline int copy_buffer(__u64 pointer, __u32 wanted)
{
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	__u64 size = wanted;
	asm volatile("%0 &= 0xfff" : "+r"(size));
	if (!scratch || bpf_probe_read_user(scratch->payload, size, (void *)pointer)) {
		count_loss(LOSS_READ_FAILED, wanted);
		return 0;
	}
	return size;
}

/* Copies one buffer to `offset`; -1 when user memory could not be read. */
__noinline int copy_rest(__u64 pointer, __u32 offset, __u32 wanted)
{
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	__u64 size = wanted, start = offset;
	asm volatile("%0 &= 0xfff" : "+r"(size));
	asm volatile("%0 &= 0xfff" : "+r"(start));
	if (!scratch || bpf_probe_read_user(scratch->payload + start, size, (void *)pointer))
		return -1;
	return size;
}

/* Copies `wanted` bytes behind the cursor in the vectors, and moves the cursor behind them: walking from the first vector
 * for every piece would take the square of their number. */
__noinline int copy_from(__u64 pointer, __u32 count, __u32 wanted)
{
	__u32 zero = 0, done = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return 0;
	__u32 skip = scratch->inside, first = scratch->vector;
	for (int i = 0; i < VECTOR_LIMIT; i++) {
		if (first + i >= count || done >= wanted)
			break;
		struct user_vector vector;
		__u64 at = pointer + (first + i) * sizeof(struct user_vector);
		if (bpf_probe_read_user(&vector, sizeof(vector), (void *)at))
			break;
		scratch->vector = first + i;
		if (skip >= vector.length) {
			skip -= vector.length;
			continue;
		}
		__u64 left = vector.length - skip;
		int copied = copy_rest(vector.base + skip, done, left < wanted - done ? left : wanted - done);
		if (copied < 0)
			break;
		scratch->inside = skip + copied;
		skip = 0;
		done += copied;
		done &= PAYLOAD_LIMIT - 1;
	}
	if (done < wanted) {
		/* What comes next would be taken for what is missing. */
		count_loss(LOSS_READ_FAILED, wanted - done);
		scratch->vector = count;
	}
	return done;
}

/* Copies up to `limit` bytes of `length` that passed through the vectors, and the whole first vector up to its own limit. */
static __always_inline int copy_vectors(__u64 pointer, __u32 count, __u32 length, __u32 limit)
{
	struct user_vector first;
	if (bpf_probe_read_user(&first, sizeof(first), (void *)pointer)) {
		count_loss(LOSS_READ_FAILED, length < limit ? length : limit);
		return 0;
	}
	__u32 wanted = first.length < FIRST_VECTOR_LIMIT ? first.length : FIRST_VECTOR_LIMIT;
	if (wanted < limit)
		wanted = limit;
	if (wanted > length)
		wanted = length;
	if (wanted > PAYLOAD_LIMIT - 1)
		wanted = PAYLOAD_LIMIT - 1;
	return copy_from(pointer, count, wanted);
}
