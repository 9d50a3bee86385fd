"""Tries at Remote Desktop at an even pace, each as far as a client comes before it sends a name: `knock.py ADDRESS PORT PAUSE COUNT`.

What is printed is one line a try, with the time at which it began and what came of it: `answered` or `silent`. hydra cannot be held to a
pace: a connection of its to xrdp takes seconds.
"""

import socket
import ssl
import sys
import threading
import time

# TPKT, X.224 connection request with a cookie, and the wish for TLS: MS-RDPBCGR 2.2.1.1.
REQUEST = bytes.fromhex("0300002b26e00000000000") + b"Cookie: mstshash=ada\r\n" + bytes.fromhex("0100080001000000")
SILENCE_SECONDS = 1.5


def attempt(address, port):
    begun, came = time.time(), "silent"
    try:
        with socket.create_connection((address, port), SILENCE_SECONDS) as plain:
            plain.sendall(bytes([3, 0, 0, len(REQUEST)]) + bytes([len(REQUEST) - 5]) + REQUEST[5:])
            if plain.recv(64):
                came = "answered"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain) as wrapped:
                wrapped.sendall(b"\x03\x00\x00\x08\x02\xf0\x80\x00")
                wrapped.settimeout(0.3)
                wrapped.recv(64)
    except OSError:
        pass
    print(f"{begun:.3f} {came}", flush=True)


def main(address, port, pause, count):
    threads = []
    for number in range(int(count)):
        threads.append(threading.Thread(target=attempt, args=(address, int(port))))
        threads[-1].start()
        if number + 1 < int(count):
            time.sleep(float(pause))
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
