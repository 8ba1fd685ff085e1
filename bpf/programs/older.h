/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Gives a cookie to every socket that processes hold: programs that can only read it would not know an older one. */
#pragma once

static __always_inline int give_cookie(struct file *file)
{
	struct socket *socket = file ? bpf_sock_from_file(file) : NULL;
	if (socket && socket->sk)
		bpf_get_socket_cookie(socket->sk);
	return 0;
}
