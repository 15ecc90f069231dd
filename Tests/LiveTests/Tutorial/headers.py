# Headers of every type of AMQP's.
# headers.py put QUEUE      publishes a task with all of them, nested and large
# headers.py deep QUEUE N   publishes one with N arrays in each other
# headers.py get QUEUE      takes one, and prints its headers' bytes as hexadecimal digits
import os
import struct
import sys

import pika
import pika.data

taken = []


class Raw(bytes):
    """A value as it goes over the wire, its type's letter first."""


def encode_value(pieces, value, encode=pika.data.encode_value):
    if not isinstance(value, Raw):
        return encode(pieces, value)
    pieces.append(bytes(value))
    return len(value)


def decode_table(encoded, offset, decode=pika.data.decode_table):
    size = struct.unpack_from(">I", encoded, offset)[0]
    taken.append(encoded[offset + 4 : offset + 4 + size])
    return {}, offset + 4 + size


pika.data.encode_value = encode_value
pika.data.decode_table = decode_table


def long(value):
    return struct.pack(">I", len(value)) + value


def entry(name, value):
    return bytes([len(name)]) + name + value


simple = {
    "t": b"t\1", "b": b"b\x80", "B": b"B\xff", "s": b"s\x80\0", "u": b"u\xff\xff", "I": b"I\x80\0\0\0",
    "i": b"i\xff\xff\xff\xff", "l": b"l\x80\0\0\0\0\0\0\0", "T": b"T\0\0\0\0\x65\0\0\0", "V": b"V",
    "f": b"f" + struct.pack(">f", 1.5), "d": b"d" + struct.pack(">d", -1e300), "D": b"D\2\0\0\1\x2c",
    "S": b"S" + long("Käse 🧀".encode()), "x": b"x" + long(bytes(range(256))), "bad": b"S" + long(b"\xff\xfe"),
    "empty": b"S" + long(b""), "big": b"S" + long(b"h" * 100_000),
}
everything = dict(
    simple,
    A=b"A" + long(b"".join(value for name, value in simple.items() if name != "big")),
    F=b"F" + long(entry(b"inner", b"F" + long(entry(b"innermost", b"A" + long(b"V" * 3)))) + entry(b"", b"V")),
)

action, queue, *rest = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
if action == "get":
    channel.basic_get(queue, auto_ack=True)
    print(taken[-1].hex() if taken else "")
else:
    if action == "deep":
        value = b"V"
        for _ in range(int(rest[0])):
            value = b"A" + long(value)
        everything = {"deep": value}
    headers = {name: Raw(value) for name, value in everything.items()}
    channel.basic_publish("", queue, b"task", pika.BasicProperties(headers=headers))
connection.close()
