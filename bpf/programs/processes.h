/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

/* Scopes that do not name processes still need every process's life, since any may own a connection. */
static __always_inline bool process_reported(__u32 tgid)
{
	return (settings.scope & (SCOPE_ALL | SCOPE_NETNS | SCOPE_PORT)) || process_in_scope(tgid);
}

static __always_inline void fill_process(struct process_record *record, __u32 kind, __u32 tgid, struct task_struct *task)
{
	record->kind = kind;
	record->tgid = tgid;
	record->parent_tgid = 0;
	record->exit_code = 0;
	record->time_ns = bpf_ktime_get_ns();
	record->start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	bpf_core_read(record->comm, sizeof(record->comm), &task->comm);
}

static __always_inline void report_process(__u32 kind, __u32 tgid, __u32 parent, int exit_code, struct task_struct *task)
{
	struct process_record *record = bpf_ringbuf_reserve(&lifecycle, sizeof(*record), 0);
	if (!record) {
		count_loss(LOSS_LIFECYCLE_RING_FULL, 0);
		return;
	}
	fill_process(record, kind, tgid, task);
	record->parent_tgid = parent;
	record->exit_code = exit_code;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* Where hierarchies differ, containers are in the deepest. */
static __always_inline struct cgroup *deepest_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *deepest = BPF_CORE_READ(set, dfl_cgrp);
	int level = BPF_CORE_READ(deepest, level);
	for (int i = 0; i < 12; i++) {
		struct cgroup_subsys_state *state = NULL;
		if ((i + 1) * sizeof(state) > bpf_core_field_size(set->subsys))
			break;
		bpf_core_read(&state, sizeof(state), &set->subsys[i]);
		struct cgroup *other = state ? BPF_CORE_READ(state, cgroup) : NULL;
		int depth = other ? BPF_CORE_READ(other, level) : 0;
		if (depth > level) {
			deepest = other;
			level = depth;
		}
	}
	return deepest;
}

static __always_inline void report_exec(__u32 tgid, struct task_struct *task)
{
	struct exec_record *record = bpf_ringbuf_reserve(&lifecycle, sizeof(*record), 0);
	if (!record) {
		count_loss(LOSS_LIFECYCLE_RING_FULL, 0);
		return;
	}
	fill_process(&record->process, RECORD_EXEC, tgid, task);
	struct cgroup *cgroup = deepest_cgroup(task);
	for (int depth = 0; depth < CGROUP_NAMES; depth++) {
		char *name = record->cgroup[depth];
		if (!cgroup || bpf_probe_read_kernel_str(name, CGROUP_NAME_MAX, BPF_CORE_READ(cgroup, kn, name)) < 0)
			name[0] = 0;
		struct cgroup_subsys_state *parent = cgroup ? BPF_CORE_READ(cgroup, self.parent) : NULL;
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	}
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}
