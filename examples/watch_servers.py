"""Prints each change of a server's state. `skybus bus subscriber add NAME` tells the two variables:
SKYBUS_URL (an address with a password, so never an argument) and SKYBUS_QUEUE. Needs pika."""
import json
import os

import pika


def on_message(channel, method, properties, body):
    if properties.type == "server.report/1":
        try:
            report = json.loads(body)
            print("%(server)s on %(host)s: %(power)s" % report, flush=True)
        except (ValueError, KeyError, TypeError):
            pass  # one message that cannot be read must not stop a subscriber
    channel.basic_ack(method.delivery_tag)


connection = pika.BlockingConnection(pika.URLParameters(os.environ["SKYBUS_URL"]))
channel = connection.channel()
channel.basic_qos(prefetch_count=100)
channel.basic_consume(os.environ["SKYBUS_QUEUE"], on_message)
channel.start_consuming()
raise SystemExit("the queue is gone; was the subscriber removed?")
