"""Asks again and again, by several at once, until a file appears; says how it went.

    load.py PORT STOP      prints "asked N answered N refused N cut N"
"""
import os
import socket
import sys
import threading

port, stop = int(sys.argv[1]), sys.argv[2]
counts = {"asked": 0, "answered": 0, "refused": 0, "cut": 0}
lock = threading.Lock()


def ask():
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := s.recv(4096):
                answer += piece
        return "answered" if answer.startswith(b"HTTP/") else "cut"
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "cut"


def client():
    while not os.path.exists(stop):
        outcome = ask()
        with lock:
            counts["asked"] += 1
            counts[outcome] += 1


clients = [threading.Thread(target=client) for _ in range(4)]
for one in clients:
    one.start()
for one in clients:
    one.join()
print(" ".join(f"{word} {number}" for word, number in counts.items()))
