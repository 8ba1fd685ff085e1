"""aiohttp with the shared routes, answers chunked: asynchronous.py PORT ACCESS_LOG"""
import asyncio, sys
from aiohttp import web

log = open(sys.argv[2], "a", buffering=1)


async def any_route(request):
    size = len(await request.read())
    status, body = 200, f"{request.method} {size}\n".encode()
    if request.path.startswith("/slow"):
        await asyncio.sleep(0.05)
    if request.path == "/missing":
        status = 404
    if request.path == "/large":
        body = b"y" * 200_000
    sent = 0 if request.method == "HEAD" else len(body)
    log.write(f"{request.method} {request.path_qs} {status} {sent}\n")
    if request.method == "HEAD":
        return web.Response(status=status)
    response = web.StreamResponse(status=status)
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(body)
    await response.write_eof()
    return response


app = web.Application()
app.router.add_route("*", "/{tail:.*}", any_route)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
