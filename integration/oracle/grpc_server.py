"""A gRPC server with one method of each kind, without schemas. Argument: port."""
import signal
import sys
import time
from concurrent import futures

import grpc


def echo(request, context):
    context.set_trailing_metadata((("trailer", "x" * 40),))
    return request


def many(request, context):
    for number in range(20):
        yield request + b" %d" % number


def total(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def chat(requests, context):
    yield from requests


def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "there is no żółw")


def slow(request, context):
    time.sleep(1)
    return request


class Handlers(grpc.GenericRpcHandler):
    def service(self, call):
        return {
            "/oracle.Echo/One": grpc.unary_unary_rpc_method_handler(echo),
            "/oracle.Echo/Many": grpc.unary_stream_rpc_method_handler(many),
            "/oracle.Echo/Total": grpc.stream_unary_rpc_method_handler(total),
            "/oracle.Echo/Chat": grpc.stream_stream_rpc_method_handler(chat),
            "/oracle.Echo/Fail": grpc.unary_unary_rpc_method_handler(fail),
            "/oracle.Echo/Slow": grpc.unary_unary_rpc_method_handler(slow),
        }.get(call.method)


server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Handlers()])
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(0))
server.wait_for_termination()
