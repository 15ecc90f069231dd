# One message with any properties.
# message.py put QUEUE JSON-PROPERTIES BODY   publishes it; "headers" may hold anything that pika can encode
# message.py get QUEUE                        takes one and prints it as JSON; "null" when there is none
import json
import os
import sys

import pika

action, queue, *rest = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
if action == "put":
    channel.basic_publish("", queue, rest[1].encode(), pika.BasicProperties(**json.loads(rest[0])))
else:
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    found = None
    if method:
        known = {name: value for name, value in vars(properties).items() if value is not None}
        found = {**known, "body": body.decode(), "redelivered": method.redelivered}
    print(json.dumps(found, default=lambda value: int(value.timestamp())))
connection.close()
