"""Sends garbage on 3,000 short connections, some of them cut off: PORT"""
import random, socket, sys

choice = random.Random(1)
for number in range(3000):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        kind = number % 4
        if kind == 0:
            connection.sendall(choice.randbytes(choice.randrange(1, 700)))
        elif kind == 1:
            connection.sendall(b"GET /never HTTP/1.1\r\nHost: ")
        elif kind == 2:
            connection.sendall(b"\r\n" * 20)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        if number % 3:
            connection.recv(65536)
