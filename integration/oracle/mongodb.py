"""Talks to a server of MongoDB's protocol through pymongo. Argument: port."""
import sys

import pymongo
from pymongo import InsertOne, UpdateOne

BRIEF = "brief" in sys.argv


def many(count):
    """So many, or few when the conversation is to be kept."""
    return min(count, 3) if BRIEF else count


client = pymongo.MongoClient(f"mongodb://127.0.0.1:{sys.argv[1]}/?appname=oracle", serverSelectionTimeoutMS=5000)
client.server_info()
client.admin.command("hello")
client.list_database_names()
database = client.oracle
people = database.people
COUNT = 15 if BRIEF else 200
people.drop()
people.insert_one({"_id": 0, "name": "żółw", "tags": ["a", 1, 2.5, None, True], "nested": {"x": {"y": b"bytes"}}})
people.insert_many([{"_id": n, "n": n, "name": f"person {n}"} for n in range(1, COUNT)])
for number in range(many(50)):
    people.find_one({"n": number})
people.count_documents({"n": {"$gte": 100}})
people.estimated_document_count()
people.distinct("name", {"n": {"$lt": 5}})
people.update_one({"n": 7}, {"$set": {"name": "changed"}})
people.update_many({"n": {"$lt": 5}}, {"$inc": {"visits": 1}}, upsert=True)
people.find_one_and_update({"n": 8}, {"$set": {"name": "found"}})
people.replace_one({"n": 9}, {"n": 9})
assert len(list(people.find({}).batch_size(7))) == COUNT
cursor = people.find({}).batch_size(5)
next(cursor)
cursor.close()
list(people.aggregate([{"$match": {"n": {"$gte": 190}}}, {"$sort": {"n": 1}}]))
people.create_index([("n", 1)], unique=True)
list(people.list_indexes())
people.bulk_write([InsertOne({"_id": 900}), UpdateOne({"_id": 1}, {"$set": {"n": 1}})])
people.insert_one({"_id": 902, "text": "x" * many(200) * 1000})
people.delete_many({"n": {"$lt": 5}})
for wrong in (lambda: people.insert_one({"_id": 10}), lambda: database.command("noSuchCommand"),
              lambda: list(people.find({"$bad": 1}))):
    try:
        wrong()
    except pymongo.errors.PyMongoError:
        pass
database.command("ping")
people.rename("others")
client.drop_database("oracle")
client.close()
