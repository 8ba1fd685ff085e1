/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* Scopes that do not name processes still need every process's life, since any may own a connection. */
static __always_inline bool process_reported(__u32 tgid)
{
	return (settings.scope & (SCOPE_ALL | SCOPE_NETNS | SCOPE_PORT)) || process_in_scope(tgid);
}

static __always_inline void report_process(__u32 kind, __u32 tgid, __u32 parent, int exit_code, struct task_struct *task)
{
	struct process_record *record = bpf_ringbuf_reserve(&lifecycle, sizeof(*record), 0);
	if (!record) {
		count_loss(LOSS_LIFECYCLE_RING_FULL, 0);
		return;
	}
	record->kind = kind;
	record->tgid = tgid;
	record->parent_tgid = parent;
	record->exit_code = exit_code;
	record->time_ns = bpf_ktime_get_ns();
	record->start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	bpf_core_read(record->comm, sizeof(record->comm), &task->comm);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
