/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

#define VECTOR_LIMIT 64
#define FIRST_VECTOR_LIMIT 2048

/* Copies one vector behind what is there; a global function, so that the verifier proves it once and not per iteration.
 * Returns the bytes copied, -1 when user memory could not be read. */
__noinline int copy_vector(__u64 pointer, __u32 offset, __u32 room)
{
	__u32 zero = 0;
	struct user_vector vector;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch || bpf_probe_read_user(&vector, sizeof(vector), (void *)pointer))
		return -1;
	__u64 size = vector.length < room ? vector.length : room;
	__u64 start = offset;
	asm volatile("%0 &= 0xfff" : "+r"(size));
	asm volatile("%0 &= 0xfff" : "+r"(start));
	if (bpf_probe_read_user(scratch->payload + start, size, (void *)vector.base))
		return -1;
	return size;
}

/* Copies up to `limit` bytes of `length` that passed through the vectors, and the whole first vector up to its own limit. */
__noinline int copy_vectors(__u64 pointer, __u32 count, __u32 length, __u32 limit)
{
	__u32 done = 0;
	if (limit > PAYLOAD_LIMIT - 1)
		limit = PAYLOAD_LIMIT - 1;
	__u32 wanted = length < FIRST_VECTOR_LIMIT ? length : FIRST_VECTOR_LIMIT;
	if (limit > wanted)
		wanted = length < limit ? length : limit;
	for (int i = 0; i < VECTOR_LIMIT; i++) {
		if (i >= count || done >= wanted)
			break;
		int copied = copy_vector(pointer + i * sizeof(struct user_vector), done, wanted - done);
		if (copied < 0) {
			count_loss(LOSS_READ_FAILED, wanted - done);
			break;
		}
		done += copied;
		if (i == 0) {
			wanted = done > limit ? done : limit;
			if (wanted > length)
				wanted = length;
		}
		done &= PAYLOAD_LIMIT - 1;
	}
	return done;
}

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

/* Copies `wanted` bytes that lie `skip` bytes into the vectors. */
__noinline int copy_from(__u64 pointer, __u32 count, __u32 skip, __u32 wanted)
{
	__u32 done = 0;
	for (int i = 0; i < VECTOR_LIMIT; i++) {
		if (i >= count || done >= wanted)
			break;
		struct user_vector vector = {};
		__u64 at = pointer + i * sizeof(struct user_vector);
		bpf_probe_read_user(&vector, sizeof(vector), (void *)at);
		if (skip >= vector.length) {
			skip -= vector.length;
			continue;
		}
		__u64 left = vector.length - skip;
		int copied = copy_rest(vector.base + skip, done, left < wanted - done ? left : wanted - done);
		if (copied < 0) {
			count_loss(LOSS_READ_FAILED, wanted - done);
			break;
		}
		skip = 0;
		done += copied;
		done &= PAYLOAD_LIMIT - 1;
	}
	return done;
}
