"""A server that misbehaves: fault_server.py BACKEND_PORT GOOD SCHEDULE

Prints "listening on 127.0.0.1:PORT, faults". The first GOOD connections are passed on to the backend on
127.0.0.1; of the next, connection by connection, the schedule (words with commas between, over and over)
says what becomes of them:
  good       passed on
  reset      reset when the ClientHello has come
  reset-late reset when the client's second flight has come: it has seen all that the server sends first
  silent     accepted and read, and never answered
  half       the first half of the server's first flight, then an end in order
  garbage    an answer that is no TLS
  deaf       not accepted, and neither are any after it
  starved    for half a second nothing is accepted, for want of descriptors; then all are passed on
At SIGTERM it prints how many of each there were, as JSON, and ends.
"""

import asyncio
import collections
import errno
import json
import os
import resource
import signal
import socket
import struct
import sys

backend_port, num_good, schedule = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
counts = collections.Counter()


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        # Whoever resets one side resets both.
        writer.transport.abort()


def reset(writer):
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def serve(kind, reader, writer):
    if kind in ("good", "half", "reset-late"):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", backend_port)
        if kind == "good":
            await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))
            to_writer.close()
            writer.close()
            return
        to_writer.write(await reader.read(65536))
        flight = await to_reader.read(65536)
        writer.write(flight[: len(flight) // 2] if kind == "half" else flight)
        if kind == "reset-late":
            await reader.read(1)
            reset(writer)
        to_writer.transport.abort()
        writer.close()
        return
    await reader.read(65536)
    if kind == "reset":
        reset(writer)
    elif kind == "silent":
        await reader.read()
        writer.close()
    elif kind == "garbage":
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()


async def handle(kind, connection):
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        await serve(kind, reader, writer)
    except OSError:
        writer.transport.abort()  # The client may go whenever it likes.


async def starve(listener):
    """Tries to accept while there are no descriptors; how often to the counts."""
    loop = asyncio.get_running_loop()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    until = loop.time() + 0.5
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    while loop.time() < until:
        try:
            listener.accept()
        except OSError as error:
            assert error.errno == errno.EMFILE, error
            counts["starved"] += 1
        await asyncio.sleep(0.01)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def accept(listener):
    tasks = set()
    number = 0
    while True:
        kind = "good" if number < num_good else schedule[(number - num_good) % len(schedule)]
        number += 1
        if kind == "deaf":
            return
        if kind == "starved":
            if number == num_good + 1:
                await starve(listener)
            kind = "good"
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        counts[kind] += 1
        task = asyncio.create_task(handle(kind, connection))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def main():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, ended.set_result, None)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1 if schedule == ["deaf"] else 1024)
    listener.setblocking(False)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}, faults", flush=True)

    accepting = asyncio.create_task(accept(listener))
    await asyncio.wait({ended, accepting}, return_when=asyncio.FIRST_COMPLETED)
    await ended
    print(json.dumps(counts), flush=True)
    os._exit(0)  # What is still open does not matter.


asyncio.run(main())
