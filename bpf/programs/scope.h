/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* What is traced, decided before anything is copied. */
#pragma once

static __always_inline bool cgroup_listed(struct cgroup *cgroup)
{
	struct cgroup_key key = { .hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id) };
	for (int depth = 0; depth < 16; depth++) {
		if (!cgroup)
			return false;
		key.id = BPF_CORE_READ(cgroup, kn, id);
		if (bpf_map_lookup_elem(&cgroups, &key))
			return true;
		struct cgroup_subsys_state *parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	}
	return false;
}

/* On v1 each controller has a hierarchy of its own, so every one is asked, not only the default one. */
__noinline int task_cgroup_listed(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	if (cgroup_listed(BPF_CORE_READ(set, dfl_cgrp)))
		return 1;
	for (int i = 0; i < 12; i++) {
		struct cgroup_subsys_state *state = NULL;
		bpf_core_read(&state, sizeof(state), &set->subsys[i]);
		if (state && cgroup_listed(BPF_CORE_READ(state, cgroup)))
			return 1;
	}
	return 0;
}

static __always_inline bool process_in_scope(__u32 tgid)
{
	if (settings.scope & SCOPE_ALL)
		return true;
	__u32 *known = bpf_map_lookup_elem(&processes, &tgid);
	if (known)
		return *known & PROCESS_IN;
	if (!(settings.scope & SCOPE_CGROUP))
		return false;
	__u32 verdict = PROCESS_BY_CGROUP | (task_cgroup_listed() ? PROCESS_IN : 0);
	if (bpf_map_update_elem(&processes, &tgid, &verdict, BPF_ANY))
		count_loss(LOSS_PROCESSES_FULL, 0);
	return verdict & PROCESS_IN;
}

static __always_inline bool socket_in_scope(struct sock *sk)
{
	if (settings.scope & SCOPE_ALL)
		return true;
	if (settings.scope & SCOPE_NETNS) {
		__u32 netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		if (bpf_map_lookup_elem(&namespaces, &netns))
			return true;
	}
	if (settings.scope & SCOPE_PORT) {
		__u16 local = BPF_CORE_READ(sk, __sk_common.skc_num);
		__u16 remote = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
		if (bpf_map_lookup_elem(&ports, &local) || bpf_map_lookup_elem(&ports, &remote))
			return true;
	}
	return false;
}
