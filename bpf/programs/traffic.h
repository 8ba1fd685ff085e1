/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* Atomics that return the old value came with 5.12, and older verifiers refuse programs that hold one anywhere. */
enum atomics { ATOMICS_PLAIN, ATOMICS_FETCH };

static __always_inline __u64 advance(__u64 *position, __u64 bytes, const enum atomics atomics)
{
	if (atomics == ATOMICS_FETCH)
		return __sync_fetch_and_add(position, bytes);
	__u64 old = *(volatile __u64 *)position;
	__sync_fetch_and_add(position, bytes);
	return old;
}

static __always_inline bool is_muted(struct connection *connection, __u64 cookie)
{
	__u32 mutes = live.mutes;
	if (connection->mutes_seen != mutes) {
		__u32 *mute = bpf_map_lookup_elem(&controls, &cookie);
		if (mute)
			connection->flags |= (*mute & MUTE_BYTES ? CONNECTION_MUTED : 0) | (*mute & MUTE_PLAIN ? CONNECTION_PLAIN_MUTED : 0) |
					     (*mute & WANT_WHOLE ? CONNECTION_WHOLE : 0);
		connection->mutes_seen = mutes;
	}
	return connection->flags & CONNECTION_MUTED;
}

/* A load that begins at once fills the ring before user space asks for less: from a quarter on, heads must do. */
#define CROWDED_BYTES 320

/* How much is copied of a head of `length` bytes; the ring is asked only where it matters, since that is a call each time. */
static __always_inline __u64 capture_limit(__u64 length)
{
	__u64 limit = live.capture_bytes;
	if (length <= CROWDED_BYTES || limit <= CROWDED_BYTES)
		return limit;
	if (bpf_ringbuf_query(&data, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(&data, BPF_RB_RING_SIZE) / 4)
		return CROWDED_BYTES;
	return limit;
}

/* Room in the ring for a header and `size` bytes, rounded up: the verifier wants constant sizes. */
static __always_inline struct data_header *reserve(__u64 size)
{
#define CLASS(room) if (size <= room) return bpf_ringbuf_reserve(&data, sizeof(struct data_header) + room, 0)
	CLASS(0);
	CLASS(64);
	CLASS(128);
	CLASS(256);
	CLASS(512);
	CLASS(1024);
	CLASS(2048);
#undef CLASS
	return bpf_ringbuf_reserve(&data, sizeof(struct data_header) + PAYLOAD_LIMIT, 0);
}

/* Up to `limit` bytes of one buffer go from user memory to the ring directly; false if the ring is full. */
static __always_inline bool send_single(struct data_header *header, struct source *source, __u64 limit)
{
	__u64 size = source->kind == SOURCE_NONE ? 0 : header->length;
	if (size > limit)
		size = limit;
	if (size > source->count)
		size = source->count;
	if (size > PAYLOAD_LIMIT - 1)
		size = PAYLOAD_LIMIT - 1;
	struct data_header *record = reserve(size);
	if (!record)
		return false;
	*record = *header;
	if (size && bpf_probe_read_user(record + 1, size, (void *)source->pointer)) {
		count_loss(LOSS_READ_FAILED, size);
		size = 0;
	}
	record->captured = size;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* Several buffers are put together first, since their places in a record would not be constant. */
static __always_inline bool send_vectors(struct data_header *header, struct source *source, __u64 limit)
{
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return false;
	scratch->vector = scratch->inside = 0;
	__u64 captured = copy_vectors(source->pointer, source->count, header->length, limit);
	asm volatile("%0 &= 0xfff" : "+r"(captured));
	header->captured = captured;
	scratch->header = *header;
	return !bpf_ringbuf_output(&data, scratch, sizeof(*header) + captured, BPF_RB_NO_WAKEUP);
}

/* Where messages are put together in one transfer its head is not enough: it is sent in pieces. Of one that is too long
 * the middle is left out, so that what comes behind a long message is seen; of many buffers, the ends of long ones, since
 * who gathers messages in one transfer begins each with a buffer. */
#define PIECE_BYTES (PAYLOAD_LIMIT - 1)
#define PIECES 30
#define LONG_BUFFERS 64
/* User space takes some milliseconds to say what a connection speaks, and more of a busy machine; until then it may be
 * anything, and under load what is cut may be told wrongly or cost all that follows. */
#define FIRST_BYTES (4 << 20)
/* What begins a connection tells what it speaks, and takes little room. */
#define BEGINNING_BYTES (16 << 10)

#define WORD(a, b, c, d) ((a) | (b) << 8 | (c) << 16 | (d) << 24)

/* HTTP/1 is told by how it starts, because its bodies must not be copied until user space knows it too. */
static __always_inline void sniff(struct connection *connection, struct source *source)
{
	struct user_vector first = { .base = source->pointer };
	__u32 word = 0;
	if (source->kind == SOURCE_VECTORS && bpf_probe_read_user(&first, sizeof(first), (void *)source->pointer))
		return;
	if (bpf_probe_read_user(&word, sizeof(word), (void *)first.base))
		return;
	switch (word) {
	case WORD('H', 'T', 'T', 'P'): case WORD('G', 'E', 'T', ' '): case WORD('P', 'O', 'S', 'T'): case WORD('P', 'U', 'T', ' '):
	case WORD('H', 'E', 'A', 'D'): case WORD('D', 'E', 'L', 'E'): case WORD('P', 'A', 'T', 'C'): case WORD('O', 'P', 'T', 'I'):
		connection->flags |= CONNECTION_HEADS;
	}
}

/* Whether more of a transfer is wanted than `limit` bytes of its head. */
static __always_inline bool is_whole(struct connection *connection, struct data_header *header, struct source *source, __u64 limit)
{
	if (header->position == 0 && source->kind != SOURCE_NONE)
		sniff(connection, source);
	if (header->length <= limit || source->kind == SOURCE_NONE)
		return false;
	/* Two pieces of a datagram would be two datagrams. */
	if (connection->transport == IPPROTO_UDP && header->length > PIECE_BYTES)
		return false;
	__u64 filled = bpf_ringbuf_query(&data, BPF_RB_AVAIL_DATA), ring = bpf_ringbuf_query(&data, BPF_RB_RING_SIZE);
	/* What is cut of these is lost, and not only more than is needed. */
	if (connection->flags & CONNECTION_WHOLE)
		return filled <= ring / 2;
	if (connection->flags & CONNECTION_HEADS || header->position >= FIRST_BYTES)
		return false;
	bool begins = header->position < BEGINNING_BYTES && header->length <= BEGINNING_BYTES;
	return filled <= (begins ? ring / 2 : ring / 4);
}

/* One piece of the transfer whose header is in the scratch: it stands for `spans` bytes from `skip` on. */
static __always_inline int send_piece(__u64 pointer, __u32 count, __u32 skip, __u32 spans)
{
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return -1;
	__u32 size = spans < PIECE_BYTES ? spans : PIECE_BYTES;
	__u64 captured = count ? copy_from(pointer, count, size) : copy_buffer(pointer + skip, size);
	asm volatile("%0 &= 0xfff" : "+r"(captured));
	scratch->inside += spans - size;
	scratch->header.length = spans;
	scratch->header.captured = captured;
	int failed = bpf_ringbuf_output(&data, scratch, sizeof(scratch->header) + captured, BPF_RB_NO_WAKEUP);
	scratch->header.position += spans;
	return failed;
}

/* One piece, and what is left of the buffer in which it ends, of the `left` bytes of the transfer whose header is in the
 * scratch. Returns the bytes that it stands for; 0 if it found no room. */
__noinline __u32 send_buffer(__u64 pointer, __u32 count, __u32 left)
{
	__u32 zero = 0, size = left < PIECE_BYTES ? left : PIECE_BYTES, spans = left;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return 0;
	__u64 captured = copy_from(pointer, count, size);
	asm volatile("%0 &= 0xfff" : "+r"(captured));
	struct user_vector vector;
	__u64 at = pointer + scratch->vector * sizeof(struct user_vector);
	if (captured == size && !bpf_probe_read_user(&vector, sizeof(vector), (void *)at) && vector.length - scratch->inside < left - size)
		spans = size + vector.length - scratch->inside;
	scratch->inside += spans - size;
	scratch->header.length = spans;
	scratch->header.captured = captured;
	int failed = bpf_ringbuf_output(&data, scratch, sizeof(scratch->header) + captured, BPF_RB_NO_WAKEUP);
	scratch->header.position += spans;
	return failed ? 0 : spans;
}

/* All pieces of the transfer whose header is in the scratch; returns the bytes that found no room. A function of its own,
 * so that the verifier walks through its loop once; older ones add up the stacks of a chain of calls. */
__noinline __u32 send_pieces(__u64 pointer, __u32 count, __u32 length)
{
	/* Places are multiples of a constant: sums of lengths would be new states of the verifier in every round. */
	for (int i = 0; i < PIECES; i++) {
		__u32 skip = i * PIECE_BYTES;
		if (skip >= length)
			return 0;
		if (send_piece(pointer, count, skip, length - skip < PIECE_BYTES ? length - skip : PIECE_BYTES))
			return length - skip;
	}
	__u32 skip = PIECES * PIECE_BYTES;
	for (int i = 0; count && i < LONG_BUFFERS; i++) {
		if (length <= skip)
			return 0;
		__u32 sent = send_buffer(pointer, count, length - skip);
		if (!sent)
			return length - skip;
		skip += sent;
	}
	if (length <= skip)
		return 0;
	if (length - skip <= PIECE_BYTES)
		return send_piece(pointer, count, skip, length - skip) ? length - skip : 0;
	if (send_piece(pointer, count, skip, length - skip - PIECE_BYTES))
		return length - skip;
	return send_piece(pointer, count, length - PIECE_BYTES, PIECE_BYTES) ? PIECE_BYTES : 0;
}

static __always_inline __u64 send_whole(struct data_header *header, struct source *source)
{
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return header->length;
	scratch->header = *header;
	scratch->vector = scratch->inside = 0;
	return send_pieces(source->pointer, source->kind == SOURCE_VECTORS ? source->count : 0, header->length);
}

/* Messages of a batch are datagrams, whose heads do: their chain of calls has no room for more. */
enum part { PART_HEAD, PART_WHOLE };

/* Hands content to user space; returns the bytes that found no room. */
static __always_inline __u64 send(struct connection *connection, struct data_header *header, struct source *source, const enum part part)
{
	__u64 limit = capture_limit(header->length);
	if (part == PART_WHOLE && is_whole(connection, header, source, limit))
		return send_whole(header, source);
	bool sent = source->kind == SOURCE_VECTORS ? send_vectors(header, source, limit) : send_single(header, source, limit);
	return sent ? 0 : header->length;
}

static __always_inline void deliver(struct connection *connection, struct data_header *header, struct source *source, const enum atomics atomics, const enum part part)
{
	__u32 direction = header->direction & 1;
	__u64 bytes = header->length;
	header->position = advance(&connection->bytes[direction], bytes, atomics);
	header->time_ns = bpf_ktime_get_ns();
	header->unseen = source->kind == SOURCE_NONE;
	__sync_fetch_and_add(&connection->calls[direction], 1);
	if (source->kind == SOURCE_NONE)
		__sync_fetch_and_add(&connection->unseen[direction], bytes);
	connection->last_ns = header->time_ns;
	/* What a TLS library moves is ciphertext. */
	if (is_muted(connection, header->cookie) || (connection->flags & CONNECTION_TLS)) {
		__sync_fetch_and_add(&connection->muted[direction], bytes);
		return;
	}
	__u64 lost = send(connection, header, source, part);
	if (lost) {
		__sync_fetch_and_add(&connection->lost[direction], lost);
		count_loss(LOSS_DATA_RING_FULL, lost);
	}
}

#include "tls.h"

static __always_inline bool is_ours(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	return (family == AF_INET || family == AF_INET6) && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

/* One transfer through a socket, seen by a socket-length tracepoint inside the syscall that moves it. */
static __always_inline int transferred(struct sock *sk, int bytes, int flags, __u32 direction)
{
	__u16 family = sk->__sk_common.skc_family;
	__u16 protocol = sk->sk_protocol;
	if (bytes <= 0 || (family != AF_INET && family != AF_INET6) || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return 0;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	if (tgid == settings.self_tgid)
		return 0;
	struct socket *socket = sk->sk_socket;
	if (!socket || !socket->file)
		return 0; /* the kernel's own sockets (NFS, iSCSI, tunnels) */
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct connection *connection = bpf_map_lookup_elem(&connections, &cookie);
	if (!connection) {
		connection = meet(sk, cookie, tgid, bytes, direction);
		if (!connection)
			return 0;
	}
	if (live.tls)
		tls_saw_socket(connection, cookie);
	struct source source = {};
	struct task_struct *task = bpf_get_current_task_btf();
	/* A receive with MSG_TRUNC discards what it counts on TCP. */
	bool discards = direction == RECEIVED && (flags & MSG_TRUNC) && protocol == IPPROTO_TCP;
	if (!discards && !(task->flags & (PF_KTHREAD | PF_IO_WORKER)) && !IS_COMPAT(task)) {
		decode(&source, (struct pt_regs *)bpf_task_pt_regs(task));
		/* io_uring completes transfers inside unrelated syscalls, so there the descriptor must be this socket's. */
		if (source.direction != direction || (task->io_uring && socket_of(task, source.descriptor) != sk))
			source.kind = SOURCE_NONE;
		if (source.kind == SOURCE_BATCH) {
			int place = source.count > 1 ? batch_place(source.pointer, source.count, direction) : 0;
			source.kind = place < 0 ? SOURCE_NONE : SOURCE_MESSAGE;
			if (place < 0)
				count_loss(LOSS_BATCH_UNKNOWN, bytes);
			else
				source.pointer += place * sizeof(struct user_batch_entry);
		}
		resolve(&source);
	}
	struct data_header header = { .cookie = cookie, .length = bytes, .tgid = tgid, .direction = direction };
	deliver(connection, &header, &source, ATOMICS_FETCH, PART_WHOLE);
	return 0;
}
