# RabbitMQ's second tutorial, the task generator, written anew for pika.
import os
import sys

import pika

queue, kind, *words = sys.argv[1:]
arguments = {"x-queue-type": "quorum"} if kind == "quorum" else None
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.queue_declare(queue=queue, durable=True, arguments=arguments)
message = " ".join(words) or "Hello World!"
channel.basic_publish(
    exchange="",
    routing_key=queue,
    body=os.fsencode(message),
    properties=pika.BasicProperties(delivery_mode=2),
)
print(f" [x] Sent {message!r}")
connection.close()
