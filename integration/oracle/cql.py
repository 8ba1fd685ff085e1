"""Talks to Cassandra through its Python driver, in each version and compression it knows. Argument: port."""
import sys

import cassandra
import cassandra.cluster
import cassandra.protocol
from cassandra import ConsistencyLevel
from cassandra.cluster import Cluster
from cassandra.query import BatchStatement, SimpleStatement

PORT = int(sys.argv[1])
BRIEF = "brief" in sys.argv


def many(count):
    """So many, or few when the conversation is to be kept."""
    return min(count, 3) if BRIEF else count


def talk(version, compression):
    cluster = Cluster(["127.0.0.1"], port=PORT, protocol_version=version, compression=compression, connect_timeout=20)
    session = cluster.connect()
    session.default_timeout = 30
    session.execute("CREATE KEYSPACE IF NOT EXISTS ks WITH replication = "
                    "{'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE IF NOT EXISTS ks.t (id int PRIMARY KEY, name text, at timestamp, tags set<text>)")
    session.set_keyspace("ks")
    session.execute("INSERT INTO t (id, name) VALUES (1, 'one')")
    session.execute("INSERT INTO t (id, name) VALUES (%s, %s)", (2, "it's two"))
    insert = session.prepare("INSERT INTO t (id, name) VALUES (?, ?)")
    for number in range(3, 3 + many(57)):
        session.execute(insert, (number, f"name {number}"))
    waiting = [session.execute_async(insert, (number, "many")) for number in range(60, 60 + many(100))]
    for one in waiting:
        one.result()
    batch = BatchStatement()
    batch.add(insert, (1000, "first"))
    batch.add(SimpleStatement("INSERT INTO t (id, name) VALUES (1001, 'second')"))
    session.execute(batch)
    rows = sum(1 for _ in session.execute(SimpleStatement("SELECT * FROM t", fetch_size=many(50))))
    assert rows == 4 + many(57) + many(100), rows
    session.execute(session.prepare("SELECT name FROM t WHERE id = ?"), (7,)).one()
    session.execute("INSERT INTO t (id, name) VALUES (1, 'x') IF NOT EXISTS")
    session.execute("INSERT INTO t (id, name) VALUES (1, 'traced')", trace=True)
    session.execute(insert, (5000, "y" * many(30) * 1000))
    for wrong in ("SELEKT", "SELECT * FROM ks.nope", "SELECT * FROM t WHERE name = 'x'",
                  SimpleStatement("SELECT * FROM t WHERE id = 1", consistency_level=ConsistencyLevel.THREE)):
        try:
            session.execute(wrong)
        except (cassandra.DriverException, cassandra.cluster.NoHostAvailable, cassandra.protocol.ErrorMessage):
            pass
    session.execute("DROP TABLE ks.t")
    cluster.shutdown()


for version, compression in [(5, False), (4, False), (3, False), (4, True)]:
    talk(version, compression)
