"""A clock beside a story: when the server tells of an alert.

    witness.py listen PORT     prints a line for each notice of the server (syslog over UDP), with the time at which it came
"""

import socket
import sys
import time


def listen(port):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", port))
    while True:
        notice = receiver.recv(65536)
        print(f"{time.time():.4f} {notice.decode(errors='replace')}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["listen", port]:
            listen(int(port))
        case _:
            sys.exit(__doc__)
