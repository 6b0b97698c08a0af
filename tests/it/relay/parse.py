"""Reads a whole stream and parses every message with somebody else's CloudEvents parser; prints a JSON line each."""

import asyncio
import json
import sys

import nats
from cloudevents.http import from_http


async def main(servers, stream, count):
    client = await nats.connect(servers.split(","))
    context = client.jetstream()
    for sequence in range(1, count + 1):
        message = await context.get_msg(stream, sequence)
        event = from_http(message.headers, message.data)
        print(json.dumps({"attributes": dict(event.get_attributes()), "data": event.get_data()}))
    await client.close()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
