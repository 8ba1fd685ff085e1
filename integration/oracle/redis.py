"""Talks to Redis through redis-py, in both versions of its protocol. Argument: port."""
import sys

import redis

PORT = int(sys.argv[1])
for protocol in (2, 3):
    one = redis.Redis("127.0.0.1", PORT, protocol=protocol, client_name="oracle", decode_responses=False)
    one.ping()
    one.set("key", "value", ex=100)
    for number in range(100):
        one.set(f"key {number}", "żółw\r\n$3\r\nx")
        one.get(f"key {number}")
    one.get("missing")
    one.mset({"a": 1, "b": 2})
    one.mget("a", "b", "missing")
    one.incrbyfloat("a", 1.5)
    one.rpush("list", *range(500))
    one.lrange("list", 0, -1)
    one.hset("hash", mapping={"x": 1, "y": "two", "empty": ""})
    one.hgetall("hash")
    one.sadd("set", 1, 2, 3)
    one.smembers("set")
    one.zadd("scores", {"a": 1, "b": 2.5})
    one.zrange("scores", 0, -1, withscores=True)
    one.zscore("scores", "b")
    with one.pipeline(transaction=False) as pipeline:
        for number in range(500):
            pipeline.set(f"piped {number}", number)
            pipeline.get(f"piped {number}")
        pipeline.execute()
    with one.pipeline(transaction=True) as pipeline:
        pipeline.incr("count").lpush("list", "x").get("count")
        pipeline.execute()
    with one.pipeline() as pipeline:
        pipeline.watch("a")
        pipeline.multi()
        pipeline.get("a")
        pipeline.execute()
    one.eval("return {1, 'two', {3, {}}}", 0)
    script = one.register_script("return redis.call('get', KEYS[1])")
    script(keys=["key"])
    one.set("large", b"x" * 300_000)
    one.get("large")
    one.xadd("stream", {"field": "value"})
    one.xread({"stream": "0"})
    one.blpop(["list"], timeout=1)
    list(one.scan_iter("key*", count=50))
    one.info("server")
    one.config_get("maxmemory")
    one.object("encoding", "key")
    for wrong in (lambda: one.lpush("key", "x"), lambda: one.execute_command("NOSUCH", "x"), lambda: one.get("a b") or 1 / 0):
        try:
            wrong()
        except (redis.ResponseError, ZeroDivisionError):
            pass
    listener = one.pubsub()
    listener.subscribe("news", "other")
    listener.psubscribe("n*")
    for _ in range(3):
        listener.get_message(timeout=1)
    for number in range(20):
        one.publish("news", f"item {number}")
    for _ in range(40):
        listener.get_message(timeout=1)
    listener.unsubscribe("other")
    listener.get_message(timeout=1)
    listener.close()
    one.delete("key", "list", "hash", "set", "scores", "stream", "a", "b", "count", "large")
    one.close()
