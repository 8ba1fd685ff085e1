"""http.server with the shared routes: plain.py PORT ACCESS_LOG"""
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

log = open(sys.argv[2], "a", buffering=1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_any(self):
        size = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                chunk = int(self.rfile.readline(), 16)
                self.rfile.read(chunk + 2)
                if chunk == 0:
                    break
                size += chunk
        else:
            self.rfile.read(size)
        status, body = 200, f"{self.command} {size}\n".encode()
        if self.path.startswith("/slow"):
            time.sleep(0.05)
        if self.path == "/missing":
            status = 404
        if self.path == "/large":
            body = b"y" * 200_000
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = 0 if self.command == "HEAD" else len(body)
        # Logged before it is sent: whoever has the answer finds the line.
        log.write(f"{self.command} {self.path} {status} {sent}\n")
        if sent:
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = handle_any


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
