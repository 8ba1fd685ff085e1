"""Time from a closed time to its committed record, as a reader sees it: read_committed, from now on.

lag.py BROKERS TOPIC SECONDS  prints {"times": N, "p50_ms": X, "p99_ms": X, "most_ms": X} of the topic's frontiers.
"""

import json
import sys
import time

from confluent_kafka import Consumer, TopicPartition


def lags(brokers, topic, seconds):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "lag", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "fetch.wait.max.ms": 5})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=20)[1] for number in partitions}
    consumer.assign([TopicPartition(topic, number, end) for number, end in ends.items()])
    until = time.time() + seconds
    while time.time() < until:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            yield time.time() * 1000 - json.loads(message.value())["time"]
    consumer.close()


def main(brokers, topic, seconds):
    found = sorted(lags(brokers, topic + ".frontier", float(seconds)))
    at = lambda share: round(found[min(int(share * len(found)), len(found) - 1)], 1) if found else None
    print(json.dumps({"times": len(found), "p50_ms": at(0.5), "p99_ms": at(0.99), "most_ms": at(1.0)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
