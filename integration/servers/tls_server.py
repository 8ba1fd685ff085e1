"""An HTTPS server with a certificate of its own making: tls_server.py PORT ACCESS_LOG"""
import http.server, os, ssl, subprocess, sys

folder = os.path.dirname(sys.argv[2])
key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1",
     "-subj", "/CN=localhost"],
    check=True, stderr=subprocess.DEVNULL,
)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"clear text " * 20
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
