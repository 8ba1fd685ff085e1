"""Talks to Kafka through librdkafka: topics, producers with every codec, transactions, groups. Argument: port."""
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

BRIEF = "brief" in sys.argv


def many(count):
    """So many, or few when the conversation is to be kept."""
    return min(count, 3) if BRIEF else count


BROKER = {"bootstrap.servers": f"127.0.0.1:{sys.argv[1]}"}
admin = AdminClient({**BROKER, "client.id": "oracle-admin"})


def settled(futures):
    for future in futures.values():
        try:
            future.result(30)
        except KafkaException:
            pass


settled(admin.create_topics([NewTopic("orders", num_partitions=3, replication_factor=1), NewTopic("rest", 1, 1)]))
settled(admin.create_topics([NewTopic("orders", num_partitions=3, replication_factor=1)]))
settled(admin.create_partitions([NewPartitions("rest", 2)]))
settled(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, "orders")]))
admin.list_topics(timeout=10)
for codec in ("none", "gzip", "snappy", "lz4", "zstd")[:many(5)]:
    producer = Producer({**BROKER, "client.id": f"oracle-{codec}", "compression.type": codec, "linger.ms": 5})
    for number in range(many(100)):
        producer.produce("orders", key=b"key %d" % number, value=b"order %d " % number * 5,
                         headers={"codec": codec.encode()})
    producer.flush(20)
large = Producer({**BROKER, "client.id": "oracle-large", "message.max.bytes": 900_000, "acks": 1})
large.produce("orders", value=b"x" * many(500) * 1000)
large.flush(20)
sure = Producer({**BROKER, "client.id": "oracle-tx", "transactional.id": "tx", "enable.idempotence": True})
sure.init_transactions(30)
sure.begin_transaction()
sure.produce("orders", value=b"never")
sure.flush(10)
sure.abort_transaction(30)
sure.begin_transaction()
for number in range(many(10)):
    sure.produce("orders", value=b"sure %d" % number)
sure.commit_transaction(30)
consumer = Consumer({**BROKER, "client.id": "oracle-reader", "group.id": "readers", "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "isolation.level": "read_committed", "fetch.wait.max.ms": 50,
                     "heartbeat.interval.ms": 300, "session.timeout.ms": 6000})
consumer.subscribe(["orders"])
EXPECTED = many(5) * many(100) + 1 + many(10)
read, end = 0, time.time() + 30
while read < EXPECTED and time.time() < end:
    message = consumer.poll(1.0)
    if message is not None and not message.error():
        read += 1
consumer.commit(asynchronous=False)
consumer.committed([TopicPartition("orders", 0)], 10)
consumer.get_watermark_offsets(TopicPartition("orders", 0), timeout=10)
consumer.close()
settled(admin.describe_consumer_groups(["readers"]))
settled(admin.delete_consumer_groups(["readers"]))
settled(admin.delete_topics(["rest"]))
assert read == EXPECTED, read
