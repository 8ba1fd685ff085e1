"""Reads what comes and answers with other garbage, then closes: garbage.py PORT ACCESS_LOG"""
import random, socketserver, sys


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        data = self.request.recv(65536)
        if data:
            self.request.sendall(random.Random(len(data)).randbytes(random.randrange(1, 900)))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 512


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
