"""Reads the topic of a sink as its users do, with a client of another make: read_committed, every record applied.

reader.py BROKERS TOPIC MODE [NODE [REGISTRY]]  prints {"rows": {ROW: MULTIPLICITY}, "frontier": T, "records": N, "problems": [...]}
for the node's records (of all nodes without NODE). With the URL of a schema registry keys and values are Avro.
"""

import json
import sys
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

PATIENCE = 60


def read(brokers, topic, isolation="read_committed"):
    """Every record of a topic up to its end when the call began, once all of them are decided."""
    config = {"bootstrap.servers": brokers, "group.id": "reader", "enable.auto.commit": False,
              "isolation.level": isolation, "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    dirty = Consumer({**config, "isolation.level": "read_uncommitted"})
    consumer = Consumer(config)
    found = consumer.list_topics(topic, timeout=20).topics[topic]
    if found.error:
        return
    partitions = [TopicPartition(topic, number, 0) for number in found.partitions]
    deadline, ends = time.time() + PATIENCE, {}

    def end_of(reader, partition):
        """Where a partition ends; one that was made just now has no leader yet."""
        while True:
            try:
                return reader.get_watermark_offsets(partition, timeout=20)[1]
            except KafkaException:
                if time.time() > deadline:
                    raise
                time.sleep(0.1)

    for partition in partitions:
        end = ends[partition.partition] = end_of(dirty, partition)
        while isolation == "read_committed" and end_of(consumer, partition) < end:
            if time.time() > deadline:
                raise TimeoutError("a transaction does not end")
            time.sleep(0.02)
    consumer.assign(partitions)
    while ends:
        message = consumer.poll(1.0)
        if time.time() > deadline:
            raise TimeoutError(f"the end of {topic} does not come: at {consumer.position(partitions)} of {ends}")
        if message is None:
            continue
        if message.error():
            if message.error().name() == "_PARTITION_EOF":
                ends.pop(message.partition(), None)
                continue
            raise KafkaException(message.error())
        yield message
        # While a sink goes on writing, the client never finds itself at the end.
        if message.offset() + 1 >= ends.get(message.partition(), message.offset() + 2):
            ends.pop(message.partition(), None)
    consumer.close()
    dirty.close()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def decoder(topic, registry):
    """Turns keys and values into what they say."""
    if registry is None:
        return lambda field, data: json.loads(data)
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import SerializationContext
    decode = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    return lambda field, data: decode(data, SerializationContext(topic, field))


def main(brokers, topic, mode, node=None, registry=None):
    decode = decoder(topic, registry)
    rows, values, problems, records, last = {}, {}, [], 0, {}
    frontiers = {}
    for message in read(brokers, topic + ".frontier"):
        key = json.loads(message.key())
        if node in (None, key["node"]):
            frontiers[key["node"]] = json.loads(message.value())["time"]
    for message in read(brokers, topic):
        headers = dict(message.headers() or [])
        sender = headers.get("node", b"").decode()
        if node not in (None, sender):
            continue
        records += 1
        if not headers.get("view"):
            problems.append("a record without header view")
        if message.key() is not None:
            decode("key", message.key())
        if mode == "upsert":
            if message.value() is None:
                values.pop(message.key(), None)
            else:
                values[message.key()] = compact(decode("value", message.value()))
            continue
        envelope = decode("value", message.value())
        source = envelope["source"]
        if source["node"] != sender or envelope["op"] not in "rcud" or envelope["ts_ms"] != source["time"]:
            problems.append(f"an envelope that does not fit: {compact(envelope)}")
        if source["time"] < last.get(sender, 0):
            problems.append(f"time {source['time']} after {last[sender]}")
        last[sender] = source["time"]
        for row, diff in (envelope["before"], -1), (envelope["after"], 1):
            if row is not None:
                row = compact(row)
                rows[row] = rows.get(row, 0) + diff
                if rows[row] > 1 and message.key() is not None:
                    problems.append(f"at {source['time']} a row with a key is there twice: {row}")
                if rows[row] < 0:
                    problems.append(f"at {source['time']} a row leaves that is not there: {row}")
    for value in values.values():
        rows[value] = rows.get(value, 0) + 1
    rows = {row: count for row, count in rows.items() if count}
    print(json.dumps({"rows": rows, "frontier": min(frontiers.values(), default=0), "records": records,
                      "problems": problems[:10]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
