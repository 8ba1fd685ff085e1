/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* From the registers saved at a syscall's entry to the user memory that it moves. */
#pragma once

enum source_kind { SOURCE_NONE = 0, SOURCE_SINGLE, SOURCE_VECTORS, SOURCE_MESSAGE, SOURCE_BATCH };
struct source { __u64 pointer, count; __u32 kind, descriptor, direction, flags; };

#if defined(__TARGET_ARCH_x86)
enum { NR_READ = 0, NR_WRITE = 1, NR_READV = 19, NR_WRITEV = 20, NR_SENDFILE = 40, NR_SENDTO = 44, NR_RECVFROM = 45,
       NR_SENDMSG = 46, NR_RECVMSG = 47, NR_SPLICE = 275, NR_RECVMMSG = 299, NR_SENDMMSG = 307, NR_PREADV2 = 327, NR_PWRITEV2 = 328 };
#define ARGUMENT_0(r) ((r)->di)
#define ARGUMENT_1(r) ((r)->si)
#define ARGUMENT_2(r) ((r)->dx)
#define ARGUMENT_3(r) ((r)->r10)
#define SYSCALL_NUMBER(r) ((int)(r)->orig_ax)
#define COMPAT_FIELD thread_info.status
#define COMPAT_BIT 2
#else
enum { NR_READ = 63, NR_WRITE = 64, NR_READV = 65, NR_WRITEV = 66, NR_SENDFILE = 71, NR_SENDTO = 206, NR_RECVFROM = 207,
       NR_SENDMSG = 211, NR_RECVMSG = 212, NR_SPLICE = 76, NR_RECVMMSG = 243, NR_SENDMMSG = 269, NR_PREADV2 = 286, NR_PWRITEV2 = 287 };
#define ARGUMENT_0(r) ((r)->regs[0])
#define ARGUMENT_1(r) ((r)->regs[1])
#define ARGUMENT_2(r) ((r)->regs[2])
#define ARGUMENT_3(r) ((r)->regs[3])
#define SYSCALL_NUMBER(r) ((r)->syscallno)
#define COMPAT_FIELD thread_info.flags
#define COMPAT_BIT (1 << 22)
#endif
/* A 32-bit task: its registers and vectors are laid out otherwise. The macro is for a task that the verifier knows. */
#define IS_COMPAT(task) ((task)->COMPAT_FIELD & COMPAT_BIT)
static __always_inline bool is_compat(struct task_struct *task) { return BPF_CORE_READ(task, COMPAT_FIELD) & COMPAT_BIT; }

static __always_inline void decode(struct source *source, struct pt_regs *registers)
{
	source->kind = SOURCE_NONE;
	source->flags = 0;
	source->descriptor = ARGUMENT_0(registers);
	source->pointer = ARGUMENT_1(registers);
	source->count = ARGUMENT_2(registers);
	switch (SYSCALL_NUMBER(registers)) {
	case NR_READ: source->kind = SOURCE_SINGLE; source->direction = RECEIVED; return;
	case NR_WRITE: source->kind = SOURCE_SINGLE; source->direction = SENT; return;
	case NR_READV: case NR_PREADV2: source->kind = SOURCE_VECTORS; source->direction = RECEIVED; return;
	case NR_WRITEV: case NR_PWRITEV2: source->kind = SOURCE_VECTORS; source->direction = SENT; return;
	case NR_SENDTO: source->kind = SOURCE_SINGLE; source->direction = SENT; return;
	case NR_RECVFROM: source->kind = SOURCE_SINGLE; source->direction = RECEIVED; source->flags = ARGUMENT_3(registers); return;
	case NR_SENDMSG: source->kind = SOURCE_MESSAGE; source->direction = SENT; return;
	case NR_RECVMSG: source->kind = SOURCE_MESSAGE; source->direction = RECEIVED; source->flags = source->count; return;
	case NR_SENDMMSG: source->kind = SOURCE_BATCH; source->direction = SENT; return;
	case NR_RECVMMSG: source->kind = SOURCE_BATCH; source->direction = RECEIVED; source->flags = ARGUMENT_3(registers); return;
	}
}

/* A message's header is replaced by its vectors; a single vector becomes a plain buffer. */
static __always_inline void resolve(struct source *source)
{
	if (source->kind == SOURCE_MESSAGE) {
		struct user_message message;
		if (bpf_probe_read_user(&message, sizeof(message), (void *)source->pointer)) {
			source->kind = SOURCE_NONE;
			count_loss(LOSS_READ_FAILED, 0);
			return;
		}
		source->pointer = message.vectors;
		source->count = message.vector_count;
		source->kind = SOURCE_VECTORS;
	}
	if (source->kind == SOURCE_VECTORS && source->count == 1) {
		struct user_vector vector;
		if (bpf_probe_read_user(&vector, sizeof(vector), (void *)source->pointer)) {
			source->kind = SOURCE_NONE;
			count_loss(LOSS_READ_FAILED, 0);
			return;
		}
		source->pointer = vector.base;
		source->count = vector.length;
		source->kind = SOURCE_SINGLE;
	}
}

static __always_inline struct sock *socket_of(struct task_struct *task, __u32 descriptor)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	if (!table || descriptor >= BPF_CORE_READ(table, max_fds))
		return NULL;
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;
	bpf_probe_read_kernel(&file, sizeof(file), files + descriptor);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	struct socket *socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}
