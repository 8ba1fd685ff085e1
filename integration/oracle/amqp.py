"""Talks to an AMQP 0-9-1 broker through pika: everything that client can say. Argument: port."""
import sys

import pika
from pika.exceptions import ChannelClosedByBroker

BRIEF = "brief" in sys.argv


def many(count):
    """So many, or few when the conversation is to be kept."""
    return min(count, 3) if BRIEF else count


connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(sys.argv[1]), heartbeat=2))
channel = connection.channel()
channel.exchange_declare("orders", exchange_type="topic", arguments={"alternate-exchange": "rest"})
channel.exchange_declare("rest", exchange_type="fanout", durable=True, auto_delete=False)
channel.exchange_bind("rest", "orders", routing_key="copy.#")
channel.exchange_unbind("rest", "orders", routing_key="copy.#")
channel.queue_declare("work", arguments={"x-max-length": 5000, "x-message-ttl": 60000})
private = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind("work", "orders", routing_key="order.*", arguments={"a": True, "b": [1, "two", {"c": None}]})
channel.queue_unbind("work", "orders", routing_key="none")
channel.basic_qos(prefetch_count=20)
# Without confirmation, many in one write.
for number in range(many(300)):
    channel.basic_publish("orders", f"order.{number % 7}", b"order %d" % number)
properties = pika.BasicProperties(content_type="text/plain", content_encoding="utf-8", delivery_mode=2, priority=3,
                                  correlation_id="c1", reply_to=private, expiration="50000", message_id="m1",
                                  timestamp=1_700_000_000, type="kind", user_id="guest", app_id="oracle",
                                  headers={"text": "żółw", "number": 7, "list": [1, "two", True, None], "table": {"x": b"y"}})
channel.basic_publish("orders", "order.full", b"{}", properties)
channel.basic_publish("orders", "order.empty", b"")
channel.basic_publish("orders", "order.large", b"z" * many(300) * 1000)
channel.confirm_delivery()
for number in range(many(60)):
    channel.basic_publish("orders", "order.sure", b"sure %d" % number)
try:
    channel.basic_publish("", "no such queue", b"comes back", mandatory=True)
except pika.exceptions.UnroutableError:
    pass
method, _, body = channel.basic_get("work")
channel.basic_ack(method.delivery_tag)
method, _, body = channel.basic_get("work")
channel.basic_nack(method.delivery_tag, requeue=True)
channel.basic_get(private)
other = connection.channel()
seen = 0
for method, _, body in other.consume("work", inactivity_timeout=5):
    if method is None:
        break
    seen += 1
    if seen % 10 == 0:
        other.basic_reject(method.delivery_tag, requeue=False)
    else:
        other.basic_ack(method.delivery_tag)
    if seen == many(300) + many(60) + 3:
        break
other.cancel()
other.basic_recover(requeue=True)
other.tx_select()
other.basic_publish("orders", "order.tx", b"rolled back")
other.tx_rollback()
other.basic_publish("orders", "order.tx", b"committed")
other.tx_commit()
other.close()
for call in (lambda it: it.queue_declare("missing", passive=True),
             lambda it: it.exchange_declare("orders", exchange_type="fanout"),
             lambda it: it.basic_get("missing")):
    failing = connection.channel()
    try:
        call(failing)
    except ChannelClosedByBroker:
        pass
channel.queue_purge("work")
channel.queue_delete("work")
channel.exchange_delete("orders")
connection.sleep(3)
connection.close()

try:
    wrong = pika.PlainCredentials("guest", "wrong")
    pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(sys.argv[1]), credentials=wrong))
except pika.exceptions.AMQPConnectionError:
    pass
