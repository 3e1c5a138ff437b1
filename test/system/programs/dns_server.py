"""A DNS server for tests: dns_server.py PORT FOLDER ADDRESS. Each name leads to ADDRESS, or to the one in the file FOLDER/NAME.A; its text is in
FOLDER/NAME.TXT."""

import os
import socket
import struct
import sys

A, TXT = 1, 16
port, folder, address = sys.argv[1:]


def read(name, kind, otherwise):
    try:
        with open(os.path.join(folder, f"{name}.{kind}"), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return otherwise


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(port)))
while True:
    asked, client = server.recvfrom(512)
    # Behind the head of twelve bytes: the parts of the name, each behind its length, a zero, the kind and the class.
    parts, at = [], 12
    while asked[at]:
        parts.append(asked[at + 1 : at + 1 + asked[at]].decode("ascii"))
        at += 1 + asked[at]
    name, kind = ".".join(parts).lower(), struct.unpack_from("!H", asked, at + 1)[0]
    data = b""
    if kind == A:
        data = socket.inet_aton(read(name, "A", address))
    elif kind == TXT:
        text = read(name, "TXT", "").encode()
        data = bytes([len(text)]) + text if text else b""
    # The name of an answer is the question's, twelve bytes from the beginning.
    answer = struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data if data else b""
    head = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if data else 0, 0, 0)
    server.sendto(head + asked[12 : at + 5] + answer, client)
