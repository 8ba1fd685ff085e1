/* A client of HTTPS in a library that OpenSSL is linked into: ask(port, first, last) asks for /secret?n=N, one after the
 * other on one connection, and returns how many were answered with 200. */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int answered(SSL *session)
{
	char answer[65536];
	int length = 0;
	while (length < (int)sizeof(answer) - 1) {
		int read = SSL_read(session, answer + length, sizeof(answer) - 1 - length);
		if (read <= 0)
			return 0;
		length += read;
		answer[length] = 0;
		char *body = strstr(answer, "\r\n\r\n"), *size = strcasestr(answer, "content-length: ");
		if (body && size && length == body + 4 - answer + atoi(size + 16))
			return !strncmp(answer, "HTTP/1.1 200", 12);
	}
	return 0;
}

int ask(int port, int first, int last)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int socket_number = socket(AF_INET, SOCK_STREAM, 0), count = 0;
	if (connect(socket_number, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *session = SSL_new(context);
	SSL_set_fd(session, socket_number);
	if (SSL_connect(session) != 1)
		return -2;
	for (int number = first; number <= last; number++) {
		char request[128];
		int length = snprintf(request, sizeof(request), "GET /secret?n=%d HTTP/1.1\r\nHost: localhost\r\n\r\n", number);
		if (SSL_write(session, request, length) != length)
			return -3;
		count += answered(session);
	}
	SSL_shutdown(session);
	SSL_free(session);
	SSL_CTX_free(context);
	close(socket_number);
	return count;
}
