"""Calls a gRPC server: every kind of call, errors, deadlines, cancellations, large messages. Argument: port."""
import sys

import grpc

with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    one, fail = channel.unary_unary("/oracle.Echo/One"), channel.unary_unary("/oracle.Echo/Fail")
    for number in range(100):
        one(b"call %d" % number, metadata=(("number", str(number)), ("custom-bin", b"\x00\x01")), timeout=10)
    for waiting in [one.future(b"at once %d" % number) for number in range(100)]:
        waiting.result(10)
    for number in range(10):
        list(channel.unary_stream("/oracle.Echo/Many")(b"many", timeout=10))
        channel.stream_unary("/oracle.Echo/Total")(iter([b"x" * 100] * 20), timeout=10)
        list(channel.stream_stream("/oracle.Echo/Chat")(iter([b"y"] * 20), timeout=10))
    for number in range(10):
        try:
            fail(b"x", timeout=10)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
    try:
        channel.unary_unary("/oracle.Echo/Nothing")(b"x", timeout=10)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    one(b"z" * 200_000, timeout=10)
    one(b"compressed " * 500, timeout=10, compression=grpc.Compression.Gzip)
    one(b"after", timeout=10)
