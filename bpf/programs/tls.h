/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Plaintext of TLS libraries. A session belongs to the socket that its calls read or write; where the program moves the
 * bytes itself (memory BIOs), to the socket that its thread used last when the session was first read from. */
#pragma once

enum { NO_SOCKET = 0 };

#if defined(__TARGET_ARCH_x86)
#define CALL_0(r) ((r)->di)
#define CALL_1(r) ((r)->si)
#define CALL_3(r) ((r)->cx)
#define RETURNED(r) ((r)->ax)
#else
#define CALL_0(r) ((r)->regs[0])
#define CALL_1(r) ((r)->regs[1])
#define CALL_3(r) ((r)->regs[3])
#define RETURNED(r) ((r)->regs[0])
#endif

static __always_inline struct tls_key tls_key_of(__u64 session)
{
	struct tls_key key = { .session = session, .tgid = bpf_get_current_pid_tgid() >> 32 };
	return key;
}

static __always_inline __u32 *tls_process(__u64 thread)
{
	__u32 place = (thread >> 32) % TLS_PROCESSES;
	return bpf_map_lookup_elem(&tls_processes, &place);
}

/* The current process calls a TLS library. */
static __always_inline void tls_called(__u64 thread)
{
	__u32 *calls = tls_process(thread);
	if (calls && !*calls)
		*calls = 1;
}

/* `moved` is where the library writes the number of bytes, 0 if it returns it. */
static __always_inline int tls_enter(__u64 session, __u64 buffer, __u64 moved, __u32 direction)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct tls_call call = { .session = session, .buffer = buffer, .moved = moved, .direction = direction };
	if (thread >> 32 == settings.self_tgid)
		return 0;
	tls_called(thread);
	bpf_map_update_elem(&tls_calls, &thread, &call, BPF_ANY);
	return 0;
}

/* A step of a handshake. From the second on, what the thread used last is what it got the session's answer from. */
static __always_inline int tls_handshake(__u64 session)
{
	__u64 thread = bpf_get_current_pid_tgid(), none = NO_SOCKET;
	struct tls_key key = tls_key_of(session);
	struct tls_session *known = bpf_map_lookup_elem(&tls_sessions, &key);
	__u64 *last = bpf_map_lookup_elem(&tls_threads, &thread);
	tls_called(thread);
	if (!last)
		bpf_map_update_elem(&tls_threads, &thread, &none, BPF_ANY);
	if (!known) {
		struct tls_session fresh = { .handshakes = 1 };
		bpf_map_update_elem(&tls_sessions, &key, &fresh, BPF_ANY);
		return 0;
	}
	if (known->cookie == NO_SOCKET && known->handshakes > 0 && last)
		known->cookie = *last;
	known->handshakes += 1;
	return 0;
}

static __always_inline __u64 tls_bytes(struct tls_call *call, long returned)
{
	__u64 bytes = 0;
	if (!call->moved)
		return (int)returned > 0 ? (int)returned : 0;
	if ((int)returned != 1 || bpf_probe_read_user(&bytes, sizeof(bytes), (void *)call->moved))
		return 0;
	return bytes;
}

/* The socket of a call that has just ended, kept for the next one. */
static __always_inline __u64 tls_socket(struct tls_call *call, __u64 thread)
{
	struct tls_key key = tls_key_of(call->session);
	struct tls_session *known = bpf_map_lookup_elem(&tls_sessions, &key);
	__u64 cookie = call->cookie, none = NO_SOCKET;
	if (cookie == NO_SOCKET && known)
		cookie = known->cookie;
	if (cookie == NO_SOCKET) {
		__u64 *last = bpf_map_lookup_elem(&tls_threads, &thread);
		if (last)
			cookie = *last;
		else
			bpf_map_update_elem(&tls_threads, &thread, &none, BPF_ANY);
	}
	if (known) {
		known->cookie = cookie;
	} else {
		struct tls_session fresh = { .cookie = cookie };
		bpf_map_update_elem(&tls_sessions, &key, &fresh, BPF_ANY);
	}
	return cookie;
}

/* Clear text of a connection goes to user space, at positions of its own. */
static __always_inline void tls_moved(struct connection *connection, __u64 cookie, __u64 buffer, __u64 bytes, __u32 direction)
{
	direction &= 1;
	struct data_header header = { .cookie = cookie, .length = bytes, .direction = direction, .plain = 1 };
	header.tgid = bpf_get_current_pid_tgid() >> 32;
	header.time_ns = bpf_ktime_get_ns();
	header.position = advance(&connection->plain[direction], bytes, ATOMICS_PLAIN);
	if (is_muted(connection, cookie) && (connection->flags & CONNECTION_PLAIN_MUTED))
		return;
	struct source source = { .pointer = buffer, .count = bytes, .kind = SOURCE_SINGLE };
	__u64 lost = send(connection, &header, &source, PART_WHOLE);
	if (lost)
		count_loss(LOSS_DATA_RING_FULL, lost);
}

static __always_inline int tls_leave(long returned)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct tls_call *found = bpf_map_lookup_elem(&tls_calls, &thread);
	if (!found)
		return 0;
	struct tls_call call = *found;
	bpf_map_delete_elem(&tls_calls, &thread);
	__u64 bytes = tls_bytes(&call, returned);
	if (!bytes || bytes > 0x7fffffff)
		return 0;
	__u64 cookie = tls_socket(&call, thread);
	if (cookie == NO_SOCKET) {
		if (process_in_scope(thread >> 32))
			count_loss(LOSS_TLS_UNPAIRED, bytes);
		return 0;
	}
	struct connection *connection = bpf_map_lookup_elem(&connections, &cookie);
	if (!connection)
		return 0; /* out of scope */
	connection->flags |= CONNECTION_TLS;
	tls_moved(connection, cookie, call.buffer, bytes, call.direction);
	return 0;
}

static __always_inline int tls_ended(__u64 session)
{
	struct tls_key key = tls_key_of(session);
	bpf_map_delete_elem(&tls_sessions, &key);
	return 0;
}

/* A socket was used by the current thread; whether by a TLS library, so that what passes is ciphertext. */
static __always_inline void tls_saw_socket(struct connection *connection, __u64 cookie)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 *calls = tls_process(thread);
	if (!calls || !*calls)
		return;
	struct tls_call *call = bpf_map_lookup_elem(&tls_calls, &thread);
	if (call) {
		call->cookie = cookie;
		connection->flags |= CONNECTION_TLS;
	}
	__u64 *last = bpf_map_lookup_elem(&tls_threads, &thread);
	if (last)
		*last = cookie;
}
