/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
#pragma once

static __always_inline void count_loss(__u32 reason, __u64 bytes)
{
	struct loss_count *loss = bpf_map_lookup_elem(&losses, &reason);
	if (!loss)
		return;
	loss->count += 1;
	loss->bytes += bytes;
}
