#!/usr/bin/python3
"""Takes all waiting tasks out of a queue; each is a line of JSON."""
import json
import os
import sys
import time

import pika

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
while True:
    start = time.monotonic()
    waiting = channel.queue_declare(sys.argv[1], passive=True).method.message_count
    # RabbitMQ reports 0 for a quorum queue whose leader does not answer within 250 ms.
    if waiting or time.monotonic() - start < 0.2:
        break
for method, properties, body in channel.consume(sys.argv[1], auto_ack=True) if waiting else []:
    values = {name: value for name, value in vars(properties).items() if value is not None}
    print(json.dumps({"body": body.hex(), "properties": values}, default=str))
    waiting -= 1
    if not waiting:
        break
connection.close()
