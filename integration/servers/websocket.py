#!/usr/bin/env python3
"""A WebSocket server and its client (aiohttp), and what they said to each other, as JSON.

PORT FILE    a server: welcomes, then echoes; FILE is not used
PORT client  talks, and prints {"client": {"text": [messages, bytes], ...}, "server": {...}}
PORT late    does so, but prints `connected` after the upgrade and waits for a line; counts from there on
"""

import asyncio
import json
import sys
from collections import defaultdict

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

KINDS = {WSMsgType.TEXT: "text", WSMsgType.BINARY: "binary", WSMsgType.PING: "ping", WSMsgType.PONG: "pong"}


def size(data):
    return len(data.encode() if isinstance(data, str) else data)


async def echo(request):
    socket = web.WebSocketResponse(compress=False, max_msg_size=0)
    await socket.prepare(request)
    # What is sent at once may share a segment with the answer to the upgrade.
    await socket.send_str("welcome")
    async for message in socket:
        if message.type == WSMsgType.TEXT and message.data.startswith("close "):
            await socket.close(code=int(message.data[6:]), message=b"as asked")
        elif message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def client(port, late):
    said = {side: defaultdict(lambda: [0, 0]) for side in ("client", "server")}

    def count(side, kind, length):
        said[side][kind][0] += 1
        said[side][kind][1] += length

    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://127.0.0.1:{port}/chat?room=1", autoping=False, max_msg_size=0) as socket:

            async def receive(times):
                for _ in range(times):
                    message = await socket.receive(timeout=20)
                    count("server", KINDS[message.type], size(message.data))

            await receive(1)
            if late:
                print("connected", flush=True)
                await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
                said["server"].clear()
            for text in ["hello", '{"price": 1.5, "of": "tea"}', "Grüße", "x" * 300, "y" * 70_000, ""]:
                await socket.send_str(text)
                count("client", "text", size(text))
                await receive(1)
            for length in [0, 5, 126, 5_000, 200_000]:
                await socket.send_bytes(bytes(length))
                count("client", "binary", length)
                await receive(1)
            # Fragments with a ping between them; the server joins them.
            writer = socket._writer
            for first, part in [(0x01, b"in "), (0x89, b"beat"), (0x00, b"three "), (0x80, b"parts")]:
                masked = bytes(byte ^ mask for byte, mask in zip(part, b"\x01\x02\x03\x04" * 4))
                writer.transport.write(bytes([first, 0x80 | len(part)]) + b"\x01\x02\x03\x04" + masked)
            count("client", "text", len(b"in three parts"))
            count("client", "ping", 4)
            await receive(2)
            # Many at once.
            for number in range(200):
                await socket.send_str(f"number {number}")
                count("client", "text", size(f"number {number}"))
            await receive(200)
            await socket.send_str("close 1011")
            count("client", "text", len("close 1011"))
            message = await socket.receive(timeout=20)
            assert message.type == WSMsgType.CLOSE and message.data == WSCloseCode.INTERNAL_ERROR, message
            count("server", "close", 2 + len(b"as asked"))
            count("client", "close", 2)
    print(json.dumps(said))


def main():
    port, role = int(sys.argv[1]), sys.argv[2]
    if role in ("client", "late"):
        asyncio.run(client(port, role == "late"))
        return
    app = web.Application()
    app.router.add_get("/chat", echo)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main()
