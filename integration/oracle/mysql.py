"""Talks to MariaDB through PyMySQL, and a few commands by hand that it has no call for. Argument: port."""
import sys

import pymysql
from pymysql.constants import COMMAND

WHERE = dict(host="127.0.0.1", port=int(sys.argv[1]), user="oracle", password="secret", autocommit=True)
one = pymysql.connect(**WHERE, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS, local_infile=True)
cursor = one.cursor()
cursor.execute("CREATE DATABASE shop")
one.select_db("shop")
cursor.execute("CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(100), price DECIMAL(10,2), at DATETIME)")
cursor.execute("INSERT INTO people VALUES (1, 'one', 1.5, NOW()), (2, NULL, 2, NOW())")
for number in range(50):
    cursor.execute("INSERT INTO people (id, name) VALUES (%s, %s)", (10 + number, f"person {number}"))
for number in range(60):
    cursor.execute("SELECT name FROM people WHERE id = %s", (number,))
    cursor.fetchall()
cursor.execute("SELECT 1; SELECT 2, 'x'; UPDATE people SET price = 3")
while cursor.nextset():
    pass
cursor.execute("SELECT 'żółw' AS `größe`")
cursor.execute("SELECT REPEAT('x', 200000)")
cursor.execute("SELECT seq, CONCAT('row ', seq) FROM seq_1_to_5000")
assert len(cursor.fetchall()) == 5000
cursor.executemany("INSERT INTO people (id, name) VALUES (%s, %s)", [(n, "many") for n in range(200, 1200)])
for wrong in ("SELEKT", "SELECT * FROM nowhere", "INSERT INTO people (id) VALUES (1)"):
    try:
        cursor.execute(wrong)
    except pymysql.err.MySQLError:
        pass
cursor.execute("CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 'b', 2; END")
cursor.callproc("two")
while cursor.nextset():
    pass
with open("rows.csv", "w") as rows:
    rows.writelines(f"{n},loaded\n" for n in range(5000, 7000))
cursor.execute("LOAD DATA LOCAL INFILE 'rows.csv' INTO TABLE people FIELDS TERMINATED BY ',' (id, name)")
cursor.execute("PREPARE get FROM 'SELECT name FROM people WHERE id = ?'")
cursor.execute("EXECUTE get USING 1")
cursor.fetchall()
one.begin()
cursor.execute("DELETE FROM people WHERE id = 1")
one.rollback()
one.ping()
one._execute_command(COMMAND.COM_STATISTICS, b"")
one._read_packet()
streaming = one.cursor(pymysql.cursors.SSCursor)
streaming.execute("SELECT seq FROM seq_1_to_500")
streaming.fetchall()
cursor.execute("DROP DATABASE shop")
one.close()
try:
    pymysql.connect(**{**WHERE, "password": "wrong"})
except pymysql.err.OperationalError:
    pass
