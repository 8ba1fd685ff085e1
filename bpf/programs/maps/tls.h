/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* A call into a TLS library that a thread is in. */
struct tls_call { __u64 session, buffer, moved, cookie; __u32 direction, pad; };
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct tls_call);
} tls_calls SEC(".maps");

/* Which socket a library's session object talks through; 0 while that is not known. */
struct tls_key { __u64 session; __u32 tgid, pad; };
struct tls_session { __u64 cookie; __u32 handshakes, pad; };
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct tls_key);
	__type(value, struct tls_session);
} tls_sessions SEC(".maps");

/* Threads that do their own reads and writes around the library, and the last socket that each of them used. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} tls_threads SEC(".maps");

/* Which processes have called a TLS library, by a part of their number: transfers of the others need no look-up. */
#define TLS_PROCESSES 1024
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TLS_PROCESSES);
	__type(key, __u32);
	__type(value, __u32);
} tls_processes SEC(".maps");
