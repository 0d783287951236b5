"""A server that is none, or a strange one: odd_server.py KIND [CERTIFICATE]

Prints "listening on 127.0.0.1:PORT, KIND", and serves until it is killed.
  close   hangs up at once
  http    answers as a plain web server does
  silent  reads and never answers
  alert   answers with the alert handshake_failure
  same    answers in TLS 1.2 with the first suite that the client names and with CERTIFICATE (PEM), whether
          that fits the suite or not, and then hangs up
"""

import os
import socket
import ssl
import struct
import sys
import threading

kind = sys.argv[1]
certificate = b""
if kind == "same":
    with open(sys.argv[2], encoding="ascii") as file:
        first = file.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    certificate = ssl.PEM_cert_to_DER_cert(first)


def message(number, body):
    return bytes([number]) + struct.pack(">I", len(body))[1:] + body


def vector(body):
    return struct.pack(">I", len(body))[1:] + body


def flight(hello):
    """ServerHello and Certificate, in answer to a ClientHello."""
    at = 5 + 4 + 2 + 32  # Record, message, version, random.
    at += 1 + hello[at]  # Session identifier.
    num = struct.unpack(">H", hello[at : at + 2])[0] // 2
    suites = [hello[at + 2 + 2 * i : at + 4 + 2 * i] for i in range(num)]
    suite = next(suite for suite in suites if suite[0] != 0x13)  # Of TLS 1.3.
    server_hello = b"\x03\x03" + os.urandom(24) + bytes(8) + b"\x00" + suite + b"\x00"
    messages = message(2, server_hello) + message(11, vector(vector(certificate)))
    return b"\x16\x03\x03" + struct.pack(">H", len(messages)) + messages


def serve(connection):
    with connection:
        if kind == "close":
            return
        hello = connection.recv(65536)
        if kind == "http":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        elif kind == "alert":
            connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
        elif kind == "same":
            connection.sendall(flight(hello))
            connection.settimeout(1)
        try:
            while kind in ("silent", "same") and connection.recv(65536):
                pass
        except OSError:
            pass


listener = socket.create_server(("127.0.0.1", 0))
print(f"listening on 127.0.0.1:{listener.getsockname()[1]}, {kind}", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
