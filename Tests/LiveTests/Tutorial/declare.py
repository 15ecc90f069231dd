# Declares a queue with any properties: declare.py QUEUE DURABLE JSON-ARGUMENTS; "delete" as DURABLE deletes it
# and prints how many tasks waited in it.
import json
import os
import sys

import pika

queue, durable, *arguments = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
if durable == "delete":
    print(channel.queue_delete(queue).method.message_count)
else:
    channel.queue_declare(
        queue, durable=durable == "durable", arguments=json.loads(arguments[0]) if arguments else None
    )
connection.close()
