/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

static __always_inline __u64 advance(__u64 *position, __u64 bytes)
{
	if (settings.fetch_add)
		return __sync_fetch_and_add(position, bytes);
	__u64 old = *(volatile __u64 *)position;
	__sync_fetch_and_add(position, bytes);
	return old;
}

static __always_inline bool is_muted(struct connection *connection, __u64 cookie)
{
	__u32 mutes = live.mutes;
	if (connection->mutes_seen != mutes) {
		if (bpf_map_lookup_elem(&controls, &cookie))
			__sync_fetch_and_or(&connection->flags, CONNECTION_MUTED);
		connection->mutes_seen = mutes;
	}
	return connection->flags & CONNECTION_MUTED;
}

static __always_inline void deliver(struct connection *connection, __u64 cookie, __u32 tgid, struct source *source, __u32 bytes, __u32 direction)
{
	direction &= 1;
	__u64 position = advance(&connection->bytes[direction], bytes);
	__sync_fetch_and_add(&connection->calls[direction], 1);
	if (source->kind == SOURCE_NONE)
		__sync_fetch_and_add(&connection->unseen[direction], bytes);
	__u64 now = bpf_ktime_get_ns();
	connection->last_ns = now;
	if (is_muted(connection, cookie)) {
		__sync_fetch_and_add(&connection->muted[direction], bytes);
		return;
	}
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return;
	struct data_header *header = &scratch->header;
	header->time_ns = now;
	header->cookie = cookie;
	header->position = position;
	header->length = bytes;
	header->tgid = tgid;
	header->direction = direction;
	header->unseen = source->kind == SOURCE_NONE;
	header->pad = 0;
	__u64 captured = source->kind == SOURCE_NONE ? 0 : capture(scratch, source, bytes);
	asm volatile("%0 &= 0xfff" : "+r"(captured));
	header->captured = captured;
	if (bpf_ringbuf_output(&data, scratch, sizeof(*header) + captured, BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&connection->lost[direction], bytes);
		count_loss(LOSS_DATA_RING_FULL, bytes);
	}
}

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
		connection = meet(sk, cookie, tgid, bytes);
		if (!connection)
			return 0;
	}
	struct source source = {};
	struct task_struct *task = bpf_get_current_task_btf();
	/* A receive with MSG_TRUNC discards what it counts on TCP. */
	bool discards = direction == RECEIVED && (flags & MSG_TRUNC) && protocol == IPPROTO_TCP;
	if (!discards && !(task->flags & (PF_KTHREAD | PF_IO_WORKER)) && !is_compat(task)) {
		decode(&source, (struct pt_regs *)bpf_task_pt_regs(task));
		/* io_uring completes transfers inside unrelated syscalls, so there the descriptor must be this socket's. */
		if (source.direction != direction || (task->io_uring && socket_of(task, source.descriptor) != sk))
			source.kind = SOURCE_NONE;
		if (source.kind == SOURCE_BATCH) {
			/* Which message of a batch this is cannot be told unless there is only one. */
			source.kind = source.count == 1 ? SOURCE_MESSAGE : SOURCE_NONE;
			if (source.kind == SOURCE_NONE)
				count_loss(LOSS_BATCH_UNKNOWN, bytes);
		}
		resolve(&source);
	}
	deliver(connection, cookie, tgid, &source, bytes, direction);
	return 0;
}
