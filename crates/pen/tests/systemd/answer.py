# A server for the probe: tells each client who it is, as it is seen here.
#
#   answer.py tcp|udp ADDRESS PORT
import socket
import sys

kind, address, port = sys.argv[1:]
if kind == "udp":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((address, int(port)))
        while True:
            question, client = door.recvfrom(2048)
            door.sendto(question.strip() + b" of " + client[0].encode() + b"\n", client)
else:
    with socket.create_server((address, int(port))) as door:
        while True:
            visit, client = door.accept()
            visit.sendall(client[0].encode() + b"\n")
            visit.close()
