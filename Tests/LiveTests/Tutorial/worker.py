# RabbitMQ's second tutorial, the worker, written anew for pika.
import os
import sys
import time

import pika

queue, kind = sys.argv[1:]
arguments = {"x-queue-type": "quorum"} if kind == "quorum" else None
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.queue_declare(queue=queue, durable=True, arguments=arguments)
print(" [*] Waiting for messages. To exit press CTRL+C", flush=True)


def callback(channel, method, properties, body):
    shown = repr(body.decode()) if kind != "raw" else body.hex()
    print(f" [x] Received {shown}", flush=True)
    time.sleep(body.count(b".") * 0.1)
    print(f" [x] Done mode={properties.delivery_mode} id={properties.message_id}", flush=True)
    channel.basic_ack(delivery_tag=method.delivery_tag)


channel.basic_qos(prefetch_count=1)
channel.basic_consume(queue=queue, on_message_callback=callback)
channel.start_consuming()
