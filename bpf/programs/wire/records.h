/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* What crosses to user space: fixed width, padded; src/wire.rs mirrors and tests every size and offset. */
#pragma once

enum direction { SENT = 0, RECEIVED = 1 };
enum role { ROLE_CLIENT = 1, ROLE_SERVER = 2, ROLE_UNKNOWN = 4 };
enum connection_flags { CONNECTION_CLOSED = 1, CONNECTION_OLDER = 2, CONNECTION_MUTED = 4, CONNECTION_TLS = 8, CONNECTION_PLAIN_MUTED = 16, CONNECTION_WHOLE = 32, CONNECTION_HEADS = 64 };
enum record_kind { RECORD_OPEN = 1, RECORD_CLOSE = 2, RECORD_EXEC = 3, RECORD_FORK = 4, RECORD_EXIT = 5 };
enum loss {
	LOSS_DATA_RING_FULL = 0,
	LOSS_LIFECYCLE_RING_FULL = 1,
	LOSS_CONNECTIONS_FULL = 2,
	LOSS_READ_FAILED = 3,
	LOSS_BATCH_UNKNOWN = 4,
	LOSS_PROCESSES_FULL = 5,
	LOSS_TLS_UNPAIRED = 6,
	LOSS_REASONS = 7,
};

struct connection {
	__u64 cookie;
	__u64 opened_ns;
	__u64 last_ns;
	__u64 start_boottime_ns;
	__u64 bytes[2], calls[2], unseen[2], lost[2], muted[2];
	__u32 tgid;
	__u32 netns;
	__u32 flags;
	__u32 mutes_seen;
	__u8 local[16], remote[16];
	__u16 local_port, remote_port, family;
	__u8 transport, role;
	__u32 received_base; /* TCP: the sequence number of received byte 0 */
	__u32 pad;
	__u64 plain[2]; /* bytes that passed through a TLS library, in clear */
};
_Static_assert(sizeof(struct connection) == 192, "wire size");

struct data_header {
	__u64 time_ns;
	__u64 cookie;
	__u64 position;
	__u32 length;
	__u32 tgid;
	__u32 captured;
	__u8 direction;
	__u8 unseen;
	__u8 plain; /* content of a TLS connection, with positions of its own */
	__u8 pad;
};
_Static_assert(sizeof(struct data_header) == 40, "wire size");

struct connection_record {
	__u32 kind, pad;
	__u64 time_ns;
	struct connection connection;
};
_Static_assert(sizeof(struct connection_record) == 208, "wire size");

struct process_record {
	__u32 kind, tgid, parent_tgid;
	__s32 exit_code;
	__u64 time_ns;
	__u64 start_boottime_ns;
	char comm[16];
};
_Static_assert(sizeof(struct process_record) == 48, "wire size");

enum { CGROUP_NAMES = 5, CGROUP_NAME_MAX = 160 };

/* A process may be gone before user space asks /proc where it ran. */
struct exec_record {
	struct process_record process;
	char cgroup[CGROUP_NAMES][CGROUP_NAME_MAX]; /* of the deepest hierarchy, innermost first; the root's name is empty */
};
_Static_assert(sizeof(struct exec_record) == 848, "wire size");

struct loss_count { __u64 count, bytes; };
struct cgroup_key { __u64 id; __u32 hierarchy, pad; };

enum scope_flags { SCOPE_ALL = 1, SCOPE_CGROUP = 2, SCOPE_NETNS = 4, SCOPE_PORT = 8 };
enum process_flags { PROCESS_IN = 1, PROCESS_INHERITS = 2, PROCESS_BY_CGROUP = 4 };

struct settings {
	__u32 self_tgid;
	__u32 scope;
	__u8 cookie_helper; /* bpf_get_socket_cookie in tracing programs: 5.12 and later */
	__u8 syscall_hooks;
	__u8 pad[6];
};
/* What user space wants of a connection. */
enum control { MUTE_BYTES = 1, MUTE_PLAIN = 2, WANT_WHOLE = 4 };
struct live { __u32 capture_bytes, mutes, tls; };
