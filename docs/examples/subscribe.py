#!/usr/bin/env python3
"""Keeps Grantbook's events, or changes of access, in a SQLite table: each once, whatever dies in between.

    pip install nats-py
    subscribe.py --nats nats://127.0.0.1:4222 --durable siem --db events.sqlite

The brokers remember for the durable consumer what it has acknowledged, and deliver the rest again: at least once. The
table's primary key is what CloudEvents calls unique, (source, id): so each event has its effect exactly once. An
acknowledgement is sent only after the effect is on the disk.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
from urllib.parse import unquote

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

TABLE = """
CREATE TABLE IF NOT EXISTS events (
    source TEXT NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL,
    data TEXT NOT NULL, PRIMARY KEY (source, id))
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nats", default="nats://127.0.0.1:4222", help="servers, parted by commas")
    parser.add_argument("--kind", choices=["events", "changes"], default="events")
    parser.add_argument("--stream", default="GRANTBOOK", help="name of the journal's stream")
    parser.add_argument("--prefix", default="grantbook", help="first part of the subjects")
    parser.add_argument("--org", default="*", help="id of one organization")
    parser.add_argument("--event", default="*", help="name of one event, such as KeyRevoked")
    parser.add_argument("--durable", required=True, help="name under which the brokers remember how far we are")
    parser.add_argument("--inbox", default="_INBOX", help="first part of the subjects on which we are answered")
    parser.add_argument("--db", required=True, help="SQLite file")
    parser.add_argument("--until-idle", action="store_true", help="end when nothing has come for two seconds")
    return parser.parse_args()


def attributes(message):
    """The CloudEvents attributes of a message in binary mode: percent-encoded headers that begin with ce-."""
    headers = message.headers or {}
    return {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}


def keep(db, messages):
    """The effect: all of them in one transaction. One that is there already has had its effect."""
    for message in messages:
        event = attributes(message)
        sequence = message.metadata.sequence.stream
        row = (event["source"], event["id"], sequence, event["type"], event["time"], message.data.decode())
        new = db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)", row).rowcount
        if new:
            told = {"sequence": sequence, "type": event["type"], "data": json.loads(message.data)}
            print(json.dumps(told), flush=True)
    db.commit()


async def subscribe(args):
    db = sqlite3.connect(args.db)
    db.execute(TABLE)
    client = await nats.connect(args.nats.split(","), max_reconnect_attempts=-1, inbox_prefix=args.inbox.encode())
    # What was not acknowledged when we died comes again after ack_wait, maybe behind newer ones: the table's order is
    # that of its sequences.
    config = ConsumerConfig(
        durable_name=args.durable,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=10,
        max_ack_pending=100,
    )
    subscription = await client.jetstream().pull_subscribe(
        f"{args.prefix}.{args.kind}.{args.org}.{args.event}",
        durable=args.durable,
        stream=f"{args.stream}_{args.kind.upper()}",
        config=config,
    )
    while True:
        try:
            messages = await subscription.fetch(100, timeout=2)
        # The client's own error is one of these; where an answer and the timeout meet, it raises the plain one.
        except asyncio.TimeoutError:
            state = await subscription.consumer_info()
            if args.until_idle and state.num_pending == 0 and state.num_ack_pending == 0:
                break
            continue
        keep(db, messages)
        for message in messages:
            await message.ack()
    await client.close()


if __name__ == "__main__":
    try:
        asyncio.run(subscribe(arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
