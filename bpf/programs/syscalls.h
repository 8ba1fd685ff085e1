/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* The way of kernels without the socket-length tracepoints: every syscall's exit, the socket found by its descriptor. */
#pragma once

#define BATCH_LIMIT 1024 /* the kernel's own */

static __always_inline int deliver_one(__u64 cookie, __u64 pointer, __u32 bytes, __u32 direction, const enum atomics atomics)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, &cookie);
	if (!connection)
		return 0;
	struct source source = { .pointer = pointer, .kind = SOURCE_MESSAGE };
	struct data_header header = { .cookie = cookie, .length = bytes, .tgid = bpf_get_current_pid_tgid() >> 32, .direction = direction };
	resolve(&source);
	deliver(connection, &header, &source, atomics, PART_HEAD);
	return 0;
}

/* Functions of their own, proven once and not per message of a batch. */
__noinline int deliver_message(__u64 cookie, __u64 pointer, __u32 bytes, __u32 direction)
{
	return deliver_one(cookie, pointer, bytes, direction, ATOMICS_FETCH);
}

__noinline int deliver_message_plain(__u64 cookie, __u64 pointer, __u32 bytes, __u32 direction)
{
	return deliver_one(cookie, pointer, bytes, direction, ATOMICS_PLAIN);
}

static __always_inline void moved(struct task_struct *task, __u32 descriptor, struct source *source, long result, const enum atomics atomics)
{
	struct sock *sk = socket_of(task, descriptor);
	if (!sk || !is_ours(sk))
		return;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u64 cookie = read_cookie(sk);
	struct connection *connection = cookie ? bpf_map_lookup_elem(&connections, &cookie) : NULL;
	if (!connection) {
		connection = meet(sk, cookie, tgid, result, source->direction);
		if (!connection)
			return;
		cookie = connection->cookie;
	}
	if (live.tls)
		tls_saw_socket(connection, cookie);
	if (source->kind != SOURCE_BATCH) {
		if (source->direction == RECEIVED && (source->flags & MSG_TRUNC) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP)
			source->kind = SOURCE_NONE;
		resolve(source);
		struct data_header header = { .cookie = cookie, .length = result, .tgid = tgid, .direction = source->direction };
		deliver(connection, &header, source, atomics, PART_WHOLE);
		return;
	}
	for (int i = 0; i < BATCH_LIMIT; i++) {
		if (i >= result)
			return;
		__u64 entry = source->pointer + i * sizeof(struct user_batch_entry);
		__u32 bytes = 0;
		bpf_probe_read_user(&bytes, sizeof(bytes), (void *)(entry + sizeof(struct user_message)));
		if (bytes && atomics == ATOMICS_FETCH)
			deliver_message(cookie, entry, bytes, source->direction);
		else if (bytes)
			deliver_message_plain(cookie, entry, bytes, source->direction);
	}
}

static __always_inline int syscall_ended(struct pt_regs *registers, long result, const enum atomics atomics)
{
	if (result <= 0)
		return 0;
	int number = SYSCALL_NUMBER(registers);
	struct source source = {};
	decode(&source, registers);
	if (source.kind == SOURCE_NONE && number != NR_SENDFILE && number != NR_SPLICE)
		return 0;
	if (source.direction == RECEIVED && (source.flags & (MSG_PEEK | MSG_ERRQUEUE)))
		return 0;
	if (bpf_get_current_pid_tgid() >> 32 == settings.self_tgid)
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task();
	if (is_compat(task))
		return 0;
	source.direction = number == NR_SENDFILE ? SENT : number == NR_SPLICE ? RECEIVED : source.direction;
	moved(task, source.descriptor, &source, result, atomics);
	if (number == NR_SPLICE) {
		source.kind = SOURCE_NONE;
		source.direction = SENT;
		moved(task, ARGUMENT_2(registers), &source, result, atomics);
	}
	return 0;
}
