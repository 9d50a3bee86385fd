"""Witnesses beside a story.

    witness.py listen PORT        prints a line for each notice of the server (syslog over UDP), with the time at which it came
    witness.py packets INTERFACE  prints a line for each IPv4 packet there: time, `in` or `out` as the computer sees it, from, to. What the kernel
                                  drops on its way out of an interface does not come by here; what comes in does before it is judged.
"""

import ipaddress
import socket
import sys
import time


def listen(port):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", port))
    while True:
        notice = receiver.recv(65536)
        print(f"{time.time():.4f} {notice.decode(errors='replace')}", flush=True)


def packets(interface):
    # ETH_P_ALL: only this sees what goes out.
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    receiver.bind((interface, 3))
    print("listens", flush=True)
    while True:
        packet, (_, protocol, kind, *_) = receiver.recvfrom(64)
        if protocol == 0x0800:
            way = "out" if kind == socket.PACKET_OUTGOING else "in"
            source, target = (ipaddress.IPv4Address(packet[place:place + 4]) for place in (12, 16))
            print(f"{time.time():.4f} {way} {source} {target}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["listen", port]:
            listen(int(port))
        case ["packets", interface]:
            packets(interface)
        case _:
            sys.exit(__doc__)
