/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "wire/records.h"
#include "maps/data.h"
#include "maps/lifecycle.h"
#include "maps/connections.h"
#include "maps/pending.h"
#include "maps/names.h"
#include "maps/controls.h"
#include "maps/processes.h"
#include "maps/cgroups.h"
#include "maps/namespaces.h"
#include "maps/ports.h"
#include "maps/losses.h"
#include "maps/scratch.h"
#include "maps/tls.h"
#include "maps/batches.h"

const volatile struct settings settings SEC(".rodata.settings");
struct live live SEC(".data.live") = { .capture_bytes = 1024 };

#include "losses.h"
#include "arguments.h"
#include "capture.h"
#include "batches.h"
#include "scope.h"
#include "connections.h"
#include "traffic.h"
#include "tls_go.h"
#include "syscalls.h"
#include "processes.h"

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_sent, struct sock *sk, int bytes, int flags)
{
	return transferred(sk, bytes, flags, SENT);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_received, struct sock *sk, int bytes, int flags)
{
	return flags & (MSG_PEEK | MSG_ERRQUEUE) ? 0 : transferred(sk, bytes, flags, RECEIVED);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *registers, long result)
{
	return syscall_ended(registers, result, ATOMICS_FETCH);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_exit_plain, struct pt_regs *registers, long result)
{
	return syscall_ended(registers, result, ATOMICS_PLAIN);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sk, int old, int state)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	if (state == TCP_SYN_SENT) {
		__u64 cookie = FIRST_COOKIE(sk);
		struct pending_open opening = { .opened_ns = bpf_ktime_get_ns(), .start_boottime_ns = current_start(), .tgid = tgid, .role = ROLE_CLIENT };
		if (tgid != settings.self_tgid)
			bpf_map_update_elem(&pending, &cookie, &opening, BPF_ANY);
		return 0;
	}
	if (state == TCP_ESTABLISHED && old == TCP_SYN_RECV) {
		/* In softirq: the current task is anyone's, so the owner waits for the first transfer or the close. */
		__u64 cookie = FIRST_COOKIE(sk);
		struct pending_open opening = { .opened_ns = bpf_ktime_get_ns(), .role = ROLE_SERVER };
		bpf_map_update_elem(&pending, &cookie, &opening, BPF_ANY);
		return 0;
	}
	if (state == TCP_ESTABLISHED && old == TCP_SYN_SENT) {
		__u64 cookie = COOKIE(sk);
		struct pending_open *opening = bpf_map_lookup_elem(&pending, &cookie);
		if (!opening)
			return 0;
		__u32 owner = opening->tgid;
		/* The process was running when it connected, so its verdict is cached or is asked by its first transfer. */
		__u32 *known = bpf_map_lookup_elem(&processes, &owner);
		if (socket_in_scope(sk) || (known && (*known & PROCESS_IN))) {
			if (!admit(sk, cookie, owner, opening, 0))
				count_loss(LOSS_CONNECTIONS_FULL, 0);
		}
		return 0;
	}
	if ((state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK) && tgid != settings.self_tgid) {
		__u64 cookie = LATE_COOKIE(sk);
		if (!bpf_map_lookup_elem(&connections, &cookie))
			meet(sk, cookie, tgid, 0, SENT);
	}
	return 0;
}

/* The end of a TCP socket: closed by both sides and by its process, so nothing more can be read from it. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroyed, struct sock *sk)
{
	__u64 cookie = LATE_COOKIE(sk), address = (__u64)sk;
	struct connection *connection = bpf_map_lookup_elem(&connections, &cookie);
	if (settings.syscall_hooks)
		bpf_map_delete_elem(&names, &address);
	if (connection) {
		__u32 unseen = received_unseen(sk, connection);
		if (unseen) {
			struct source source = {};
			struct data_header header = { .cookie = cookie, .length = unseen, .tgid = connection->tgid, .direction = RECEIVED };
			/* Nobody else counts on a socket that ends. */
			deliver(connection, &header, &source, ATOMICS_PLAIN, PART_WHOLE);
		}
		connection->flags |= CONNECTION_CLOSED;
		connection->last_ns = bpf_ktime_get_ns();
		if (report(RECORD_CLOSE, connection))
			bpf_map_delete_elem(&connections, &cookie);
		bpf_map_delete_elem(&controls, &cookie);
		return 0;
	}
	bpf_map_delete_elem(&pending, &cookie);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = parent->tgid, tgid = child->tgid;
	if (parent_tgid == tgid)
		return 0;
	__u32 *verdict = bpf_map_lookup_elem(&processes, &parent_tgid);
	if (verdict && (*verdict & PROCESS_INHERITS)) {
		__u32 inherited = *verdict;
		if (bpf_map_update_elem(&processes, &tgid, &inherited, BPF_ANY))
			count_loss(LOSS_PROCESSES_FULL, 0);
	}
	if (process_reported(parent_tgid))
		report_process(RECORD_FORK, tgid, parent_tgid, 0, child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_executed, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	if (process_reported(tgid))
		report_exec(tgid, task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exited, struct task_struct *task)
{
	if (task->signal->live.counter != 0)
		return 0;
	__u32 tgid = task->tgid;
	struct signal_struct *signal = task->signal;
	int code = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : task->group_leader->exit_code;
	if (process_reported(tgid))
		report_process(RECORD_EXIT, tgid, 0, code, task);
	bpf_map_delete_elem(&processes, &tgid);
	return 0;
}

/* Optional: a process that moves is judged again at once rather than at the next refresh. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(process_moved, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	__u32 *verdict = bpf_map_lookup_elem(&processes, &tgid);
	if (verdict && (*verdict & PROCESS_BY_CGROUP))
		bpf_map_delete_elem(&processes, &tgid);
	return 0;
}

/* Uprobes on the functions of OpenSSL and what is like it; user space attaches each to the libraries that it finds. */
#define TLS_PROBE(name, body) SEC("uprobe") int name(struct pt_regs *registers) { return body; }

TLS_PROBE(tls_write, tls_enter(CALL_0(registers), CALL_1(registers), 0, SENT))
TLS_PROBE(tls_read, tls_enter(CALL_0(registers), CALL_1(registers), 0, RECEIVED))
TLS_PROBE(tls_write_ex, tls_enter(CALL_0(registers), CALL_1(registers), CALL_3(registers), SENT))
TLS_PROBE(tls_read_ex, tls_enter(CALL_0(registers), CALL_1(registers), CALL_3(registers), RECEIVED))
TLS_PROBE(tls_returned, tls_leave(RETURNED(registers)))
TLS_PROBE(tls_shake, tls_handshake(CALL_0(registers)))
TLS_PROBE(tls_free, tls_ended(CALL_0(registers)))

/* Probes inside the functions of Go's crypto/tls, at places that user space finds. */
TLS_PROBE(tls_go_write, go_moved(GO_0(registers), GO_1(registers), GO_2(registers), SENT))
TLS_PROBE(tls_go_read, go_returned(GO_STACK(registers), GO_0(registers)))
