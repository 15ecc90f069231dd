# RabbitMQ's second tutorial, the worker, written anew for pika: worker.py QUEUE KIND [PREFETCH [COUNT]]
import os
import sys
import time

import pika

queue, kind, *numbers = sys.argv[1:]
prefetch, count = [int(number) for number in numbers] + [1, 0][len(numbers) :]
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
    global count
    count -= 1
    if count == 0:
        channel.stop_consuming()


channel.basic_qos(prefetch_count=prefetch)
channel.basic_consume(queue=queue, on_message_callback=callback)
channel.start_consuming()
connection.close()
