"""Talks to PostgreSQL through psycopg: simple and extended queries, pipelines, COPY, notifications. Argument: port."""
import sys

import psycopg

WHERE = f"host=127.0.0.1 port={sys.argv[1]} user=postgres dbname=postgres application_name=oracle"
with psycopg.connect(WHERE, autocommit=True) as one:
    one.execute("CREATE TABLE people (id int PRIMARY KEY, name text, price numeric, at timestamptz)")
    one.execute("INSERT INTO people VALUES (1, 'one', 1.5, now()), (2, NULL, 2, now())")
    one.execute("SELECT * FROM people; SELECT 1 AS only; UPDATE people SET price = 3")
    one.execute("")
    one.execute("SELECT 'żółw' AS \"Größe\"")
    for number in range(50):
        one.execute("INSERT INTO people (id, name) VALUES (%s, %s)", (10 + number, f"person {number}"))
    for number in range(60):
        one.execute("SELECT name FROM people WHERE id = %s", (number,), prepare=True)
    with one.cursor() as cursor:
        cursor.executemany("INSERT INTO people (id, name) VALUES (%s, %s)", [(n, "many") for n in range(200, 400)])
    with one.pipeline():
        waiting = [one.execute("SELECT %s::int AS n", (number,)) for number in range(100)]
    assert waiting[99].fetchone() == (99,)
    with one.cursor() as cursor:
        with cursor.copy("COPY people (id, name) FROM STDIN") as copy:
            for number in range(1000, 3000):
                copy.write_row((number, f"copied {number}"))
        with cursor.copy("COPY people TO STDOUT") as copy:
            assert sum(1 for _ in copy) > 2000
    for wrong in ("SELEKT", "SELECT * FROM nowhere", "INSERT INTO people VALUES (1)", "SELECT 1/0"):
        try:
            one.execute(wrong)
        except psycopg.Error:
            pass
    with one.transaction():
        one.execute("DELETE FROM people WHERE id = 1")
    with one.transaction():
        with one.cursor(name="paged") as cursor:
            cursor.itersize = 500
            cursor.execute("SELECT * FROM people")
            assert sum(1 for _ in cursor) > 2000
    one.execute("LISTEN news")
    with psycopg.connect(WHERE, autocommit=True) as two:
        two.execute("NOTIFY news, 'hello'")
        two.execute("SELECT repeat('x', 200000)")
        two.execute("SELECT n, 'row ' || n FROM generate_series(1, 5000) AS n").fetchall()
    one.execute("SELECT %b::bytea", (b"\x00\xff",))
    one.execute("DO $$ BEGIN RAISE NOTICE 'noticed'; END $$")
    one.execute("DROP TABLE people")
try:
    psycopg.connect(WHERE.replace("dbname=postgres", "dbname=missing"))
except psycopg.OperationalError:
    pass
