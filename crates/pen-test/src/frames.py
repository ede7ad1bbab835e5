"""Raw frames at an interface: `hear IF` prints each that arrives as hex, `send IF` sends lines of hex.

The kernel takes the outermost VLAN tag out of a frame that arrives, and tells it beside; it is put back
here, by other code than Pen's.
"""
import socket
import struct
import sys

ALL, SOL_PACKET, PACKET_AUXDATA = 3, 263, 8
TAGGED, KIND_IS_TOLD = 0x10, 0x40
way, name = sys.argv[1:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL if way == "hear" else 0))
wire.bind((name, ALL if way == "hear" else 0))
if way == "send":
    for line in sys.stdin:
        wire.send(bytes.fromhex(line))
    sys.exit()
wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
print("ready", flush=True)
while True:
    frame, notes, _, sender = wire.recvmsg(65536, 256)
    for level, kind, data in notes:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tag, what = struct.unpack("IIIHHHH", data[:20])
            if status & TAGGED:
                what = what if status & KIND_IS_TOLD else 0x8100
                frame = frame[:12] + struct.pack("!HH", what, tag) + frame[12:]
    if sender[2] != socket.PACKET_OUTGOING:
        print(frame.hex(), flush=True)
