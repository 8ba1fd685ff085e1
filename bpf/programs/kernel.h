/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* The kernel's types as far as the programs read them; CO-RE finds the real offsets at load. */
#pragma once

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __le16;
typedef __u32 __le32;
typedef __u64 __le64;
typedef __u16 __sum16;
typedef __u32 __wsum;
typedef int pid_t;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_LRU_HASH = 9, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_RB_NO_WAKEUP = 1, BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr { __u8 bytes[16]; };
typedef struct { __s64 counter; } atomic64_t;
typedef struct { int counter; } atomic_t;
struct ns_common { unsigned int inum; };
struct net { struct ns_common ns; };
typedef struct { struct net *net; } possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
};
struct file;
struct socket { struct file *file; struct sock *sk; };
struct sock { struct sock_common __sk_common; __u16 sk_protocol; struct socket *sk_socket; };
struct inet_connection_sock { const void *icsk_ulp_ops; };
struct tcp_sock { struct inet_connection_sock inet_conn; __u32 copied_seq, rcv_nxt; __u64 bytes_received; };
struct inode { unsigned short i_mode; };
struct file { struct inode *f_inode; void *private_data; };
struct fdtable { unsigned int max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; };

struct kernfs_node { __u64 id; const char *name; };
struct cgroup_root { int hierarchy_id; };
struct cgroup;
struct cgroup_subsys_state { struct cgroup *cgroup; struct cgroup_subsys_state *parent; };
struct cgroup { struct cgroup_subsys_state self; int level; struct kernfs_node *kn; struct cgroup_root *root; };
struct css_set { struct cgroup_subsys_state *subsys[12]; struct cgroup *dfl_cgrp; };

struct thread_info { unsigned long flags; __u32 status; };
struct signal_struct { atomic_t live; int group_exit_code; unsigned int flags; };
struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	pid_t pid;
	pid_t tgid;
	int exit_code;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct files_struct *files;
	struct css_set *cgroups;
	void *io_uring;
	char comm[16];
};
#if defined(__TARGET_ARCH_x86)
struct pt_regs { unsigned long di, si, dx, cx, bx, r10, r8, r9, ax, orig_ax, sp; };
#else
struct pt_regs { __u64 regs[31], sp; int syscallno; };
#endif

#pragma clang attribute pop

/* User-space layouts (fixed ABI, so no relocation). */
struct user_vector { __u64 base, length; };
struct user_message { __u64 name; __u32 name_length, pad0; __u64 vectors, vector_count, control, control_length; __u32 flags, pad1; };
struct user_batch_entry { struct user_message message; __u32 length, pad; };

enum { AF_INET = 2, AF_INET6 = 10, IPPROTO_TCP = 6, IPPROTO_UDP = 17 };
enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT = 2, TCP_SYN_RECV = 3, TCP_FIN_WAIT1 = 4, TCP_LAST_ACK = 9, TCP_LISTEN = 10 };
enum { SOCK_DONE = 1 }; /* bit of skc_flags: the peer's FIN has arrived */
enum { MSG_PEEK = 2, MSG_TRUNC = 0x20, MSG_ERRQUEUE = 0x2000 };
enum { PF_IO_WORKER = 0x10, PF_KTHREAD = 0x200000 };
enum { S_IFMT = 0170000, S_IFSOCK = 0140000, SIGNAL_GROUP_EXIT = 4 };
