/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

static __always_inline void map_address(__u8 *out, __u32 address)
{
	out[10] = 0xff;
	out[11] = 0xff;
	__builtin_memcpy(out + 12, &address, 4);
}

static __always_inline void describe(struct connection *connection, struct sock *sk)
{
	connection->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	connection->transport = BPF_CORE_READ(sk, sk_protocol);
	connection->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	connection->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	connection->remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (connection->family == AF_INET) {
		map_address(connection->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		map_address(connection->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		bpf_core_read(connection->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(connection->remote, 16, &sk->__sk_common.skc_v6_daddr);
	}
}

static __always_inline __u64 current_start(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

static __always_inline bool report(__u32 kind, struct connection *connection)
{
	struct connection_record *record = bpf_ringbuf_reserve(&lifecycle, sizeof(*record), 0);
	if (!record) {
		count_loss(LOSS_LIFECYCLE_RING_FULL, 0);
		return false;
	}
	record->kind = kind;
	record->pad = 0;
	record->time_ns = bpf_ktime_get_ns();
	__builtin_memcpy(&record->connection, connection, sizeof(*connection));
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

/* The sequence number of the first byte that will have been counted; `received` bytes were read by the present call. */
static __always_inline __u32 first_sequence(struct sock *sk, bool seen_opening, __u32 received)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	if (seen_opening)
		return BPF_CORE_READ(tcp, rcv_nxt) - (__u32)BPF_CORE_READ(tcp, bytes_received);
	return BPF_CORE_READ(tcp, copied_seq) - received;
}

/* Bytes that left a TCP socket's receive queue by ways without a hook (splice, zero-copy). Exact at the socket's end, up
 * to 3 GiB; before it, another thread's read may be under way. */
static __always_inline __u32 received_unseen(struct sock *sk, struct connection *connection)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	if (connection->transport != IPPROTO_TCP || BPF_CORE_READ(tcp, inet_conn.icsk_ulp_ops))
		return 0; /* kTLS reads fewer bytes than the records take */
	if (!BPF_CORE_READ(tcp, bytes_received))
		return 0; /* an abortive close (SO_LINGER 0) takes all that came for read, and counts anew */
	__u32 read = BPF_CORE_READ(tcp, copied_seq);
	/* A FIN takes a sequence number, once the process has read the end of the stream. */
	bool ended = (BPF_CORE_READ(sk, __sk_common.skc_flags) & (1 << SOCK_DONE)) && read == BPF_CORE_READ(tcp, rcv_nxt);
	__u32 missing = read - connection->received_base - ended - (__u32)connection->bytes[RECEIVED];
	return missing < 0xc0000000 ? missing : 0;
}

/* Makes a connection known; `opening` is NULL for one that was not seen opening.
 * A function of its own: old verifiers add up the stacks of a chain of calls, and the entry takes a third of it. */
static __noinline struct connection *admit(struct sock *sk, __u64 cookie, __u32 tgid, struct pending_open *opening, __u32 received)
{
	struct connection fresh = { .cookie = cookie, .tgid = tgid };
	/* A client's opener is its owner; for all others the current process is. */
	fresh.start_boottime_ns = opening && opening->tgid == tgid ? opening->start_boottime_ns : current_start();
	fresh.opened_ns = bpf_ktime_get_ns();
	fresh.last_ns = fresh.opened_ns;
	fresh.role = ROLE_UNKNOWN;
	describe(&fresh, sk);
	if (opening) {
		fresh.opened_ns = opening->opened_ns;
		fresh.role = opening->role;
	} else if (fresh.transport == IPPROTO_TCP) {
		fresh.flags = CONNECTION_OLDER;
	}
	if (fresh.transport == IPPROTO_TCP)
		fresh.received_base = first_sequence(sk, opening, received);
	if (bpf_map_update_elem(&connections, &cookie, &fresh, BPF_NOEXIST) == 0) {
		report(RECORD_OPEN, &fresh);
		bpf_map_delete_elem(&pending, &cookie);
	}
	return bpf_map_lookup_elem(&connections, &cookie);
}

/* Names a socket that has no cookie. Its address is used again at once, and user space may still be about to hear of the
 * socket that had it before; a name is never used again. */
static __always_inline __u64 name_socket(struct sock *sk)
{
	__u64 address = (__u64)sk, name = bpf_ktime_get_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
	bpf_map_update_elem(&names, &address, &name, BPF_ANY);
	return name;
}

/* The current process touches a socket that has no entry: admits it if it is in scope. A cookie of 0 is none. */
static __always_inline struct connection *meet(struct sock *sk, __u64 cookie, __u32 tgid, __u64 bytes, __u32 direction)
{
	if (!socket_in_scope(sk) && !process_in_scope(tgid))
		return NULL;
	if (!cookie)
		cookie = name_socket(sk);
	struct connection *connection = admit(sk, cookie, tgid, bpf_map_lookup_elem(&pending, &cookie), direction == RECEIVED ? bytes : 0);
	if (!connection)
		count_loss(LOSS_CONNECTIONS_FULL, bytes);
	return connection;
}

/* What a socket was named by when nobody could give it a cookie; 0 if it has no name yet. */
static __always_inline __u64 read_cookie(struct sock *sk)
{
	__u64 cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter), address = (__u64)sk;
	__u64 *name = cookie ? NULL : bpf_map_lookup_elem(&names, &address);
	return name ? *name : cookie;
}

/* A socket that begins may have the address of one that ended. */
static __always_inline __u64 first_cookie(struct sock *sk)
{
	__u64 cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	return cookie ? cookie : name_socket(sk);
}

#define COOKIE(sk) (settings.cookie_helper ? bpf_get_socket_cookie(sk) : read_cookie(sk))
#define FIRST_COOKIE(sk) (settings.cookie_helper ? bpf_get_socket_cookie(sk) : first_cookie(sk))

/* A connected socket whose cookie a syscall hook could only read must keep one name for life. */
#define LATE_COOKIE(sk) (settings.syscall_hooks ? read_cookie(sk) : COOKIE(sk))
