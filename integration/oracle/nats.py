"""Talks to NATS through its Python client: everything that client can say. Argument: port."""
import asyncio
import socket
import sys

import nats

PORT = int(sys.argv[1])
BRIEF = "brief" in sys.argv


def many(count):
    """So many, or few when the conversation is to be kept."""
    return min(count, 3) if BRIEF else count


async def main():
    connection = await nats.connect(f"nats://127.0.0.1:{PORT}", name="oracle")
    other = await nats.connect(f"nats://127.0.0.1:{PORT}", name="other", verbose=True)
    heard = []

    async def answer(message):
        heard.append(message)
        if message.reply:
            await message.respond(b"answer to " + message.data)

    await connection.subscribe("service.*", queue="workers", cb=answer)
    await connection.subscribe("news.>", cb=answer)
    limited = await connection.subscribe("limited", cb=answer)
    await limited.unsubscribe(limit=2)
    await connection.flush()
    for number in range(many(200)):
        await other.publish("service.work", b"job %d" % number)
    for number in range(many(5)):
        await other.publish("limited", b"%d" % number)
        await other.publish("news.a.b", b"", headers={"Number": str(number), "Empty": ""})
    await other.publish("news.large", b"x" * many(900) * 1000)
    await other.publish("news.text", "żółw\r\nMSG fake 1 2\r\nxx\r\n".encode())
    await other.flush()
    for number in range(many(50)):
        await other.request("service.ask", b"question %d" % number, timeout=5)
    await asyncio.gather(*(other.request("service.many", b"%d" % number, timeout=5) for number in range(many(50))))
    await other.request("service.old", b"old", timeout=5, old_style=True)
    await other.request("service.headers", b"headed", timeout=5, headers={"A": "b"})
    try:
        await other.request("nobody", b"x", timeout=2)
    except nats.errors.NoRespondersError:
        pass
    stream = connection.jetstream()
    await stream.add_stream(name="S", subjects=["stored.*"])
    for number in range(many(20)):
        await stream.publish("stored.a", b"stored %d" % number, headers={"Nats-Msg-Id": str(number % 15)})
    pull = await stream.pull_subscribe("stored.*", "durable")
    for message in await pull.fetch(many(15)):
        await message.ack()
    push = await stream.subscribe("stored.*", ordered_consumer=True)
    for _ in range(many(15)):
        await push.next_msg(timeout=5)
    bucket = await stream.create_key_value(bucket="settings")
    await bucket.put("key", b"value")
    await bucket.get("key")
    await bucket.delete("key")
    await stream.delete_stream("S")
    await other.drain()
    await connection.close()


asyncio.run(main())

# What no client library says.
with socket.create_connection(("127.0.0.1", PORT)) as raw:
    lines = raw.makefile("rb")
    lines.readline()
    raw.sendall(b'connect {"verbose":false}\r\nPiNg\r\n')
    lines.readline()
    raw.sendall(b"sub  raw.x   7\r\npub\traw.x\t2\r\nhi\r\nBOGUS\r\n")
    while lines.readline():
        pass
