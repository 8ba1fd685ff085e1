"""Shakes hands with a TLS server in every version and way that Python's library knows. Argument: port."""
import socket
import ssl
import sys

PORT = int(sys.argv[1])


def shake(version, name, protocols=None, ciphers=None):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    if ciphers:
        context.set_ciphers(ciphers)
    try:
        with socket.create_connection(("127.0.0.1", PORT)) as plain:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while secure.recv(4096):
                    pass
    except OSError:
        pass


for round in range(10):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        shake(version, "oracle.test")
        shake(version, None)
        shake(version, "xn--w-uga1v8h.oracle.test", ["h2", "http/1.1"])
        shake(version, "b" * 60 + ".oracle.test", ["http/1.1"])
    shake(ssl.TLSVersion.TLSv1_2, "cipher.test", ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    # A version that the server refuses.
    shake(ssl.TLSVersion.TLSv1_1, "old.test", ciphers="DEFAULT:@SECLEVEL=0")
