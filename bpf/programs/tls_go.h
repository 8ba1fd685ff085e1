/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Plaintext of Go's crypto/tls. A goroutine changes its thread inside a call, and its stack moves, so nothing is kept
 * between entry and return: a write is taken behind the entry's stack check, where the arguments are in registers; a read
 * at the return, where the compiler has left them in the caller's frame. The socket is found through the connection. */
#pragma once

#if defined(__TARGET_ARCH_x86)
#define GO_0(r) ((r)->ax)
#define GO_1(r) ((r)->bx)
#define GO_2(r) ((r)->cx)
#define GO_STACK(r) ((r)->sp)
#else
#define GO_0(r) ((r)->regs[0])
#define GO_1(r) ((r)->regs[1])
#define GO_2(r) ((r)->regs[2])
#define GO_STACK(r) ((r)->sp)
#endif

/* Connections may be wrapped, each in the next, mostly as the first field. */
#define GO_WRAPPERS 3
#define GO_FIELDS 6

struct go_interface { __u64 type, value; };
/* The start of a poll.FD, which is the first field of what a *net.TCPConn points to; so since Go 1.9. */
struct go_descriptor { __u64 state, waiters, number; };

/* The TCP socket of what may be a *net.TCPConn. */
static __always_inline struct sock *go_tcp(struct task_struct *task, __u64 value)
{
	struct go_descriptor descriptor;
	__u64 inner = 0;
	if (bpf_probe_read_user(&inner, sizeof(inner), (void *)value) || !inner)
		return NULL;
	if (bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)inner) || descriptor.number >> 31)
		return NULL;
	struct sock *sk = socket_of(task, descriptor.number);
	if (!sk || !is_ours(sk) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return NULL;
	return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN ? NULL : sk;
}

/* The socket below a *tls.Conn, whose first field is the connection that it encrypts; 0 if none is found. A function of
 * its own, so that the verifier walks through its loops once. */
__noinline __u64 go_socket(__u64 session)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct go_interface inner;
	if (bpf_probe_read_user(&inner, sizeof(inner), (void *)session))
		return 0;
	struct sock *sk = go_tcp(task, inner.value);
	for (int depth = 0; depth < GO_WRAPPERS && !sk; depth++) {
		__u64 fields[GO_FIELDS];
		if (bpf_probe_read_user(fields, sizeof(fields), (void *)inner.value))
			return 0;
		/* Old verifiers know no variable places in the stack. */
#pragma unroll
		for (int i = 0; i < GO_FIELDS; i++)
			sk = sk ? sk : go_tcp(task, fields[i]);
		inner.value = fields[1];
	}
	return (__u64)sk;
}

static __always_inline int go_moved(__u64 session, __u64 buffer, __u64 bytes, __u32 direction)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	if (!bytes || bytes > 0x7fffffff)
		return 0;
	if (!(settings.scope & (SCOPE_NETNS | SCOPE_PORT)) && !process_in_scope(tgid))
		return 0;
	struct sock *sk = (void *)go_socket(session);
	__u64 cookie = sk ? read_cookie(sk) : 0;
	/* Where hooks know sockets by their cookies, one that has none is known to nobody. */
	if (!sk || (!cookie && !settings.syscall_hooks)) {
		if (process_in_scope(tgid))
			count_loss(LOSS_TLS_UNPAIRED, bytes);
		return 0;
	}
	struct connection *connection = cookie ? bpf_map_lookup_elem(&connections, &cookie) : NULL;
	if (!connection) {
		/* The first that is seen of an older connection may be a write. */
		connection = meet(sk, cookie, tgid, 0, direction);
		if (!connection)
			return 0;
		cookie = connection->cookie;
	}
	/* A write before anything was sent has the handshake before it, which is to be seen. */
	if (direction == RECEIVED || connection->bytes[SENT])
		connection->flags |= CONNECTION_TLS;
	tls_moved(connection, cookie, buffer, bytes, direction);
	return 0;
}

/* A read returns: above the return address are the receiver and the slice. */
static __always_inline int go_returned(__u64 stack, __u64 bytes)
{
	struct { __u64 session, buffer; } arguments;
	if ((__s64)bytes <= 0 || bpf_probe_read_user(&arguments, sizeof(arguments), (void *)(stack + 8)))
		return 0;
	return go_moved(arguments.session, arguments.buffer, bytes, RECEIVED);
}
