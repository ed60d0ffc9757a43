"""The libzmq side of a recording: `python peer.py SOCKET_TYPE PORT KEYS SIZES`.

Runs on any Python and pyzmq. A DEALER or REQ connects to the port, sends a message for each of the
comma-separated sizes and takes the echo; a ROUTER binds to the port and echoes as many. KEYS are
those of CURVE in Z85, `server,public,secret`, or nothing for NULL. Prints the version of libzmq.
"""

import sys
import time

import zmq

kind, port, keys, sizes = sys.argv[1:]
sizes = [int(size) for size in sizes.split(",")]
address = "tcp://127.0.0.1:" + port
sock = zmq.Context().socket(getattr(zmq, kind))
sock.linger = 5000
sock.rcvtimeo = 20000
if keys:
    server, public, secret = keys.encode().split(b",")
    sock.curve_publickey, sock.curve_secretkey = public, secret
    if kind == "ROUTER":
        sock.curve_server = True
    else:
        sock.curve_serverkey = server
if hasattr(zmq, "HEARTBEAT_IVL") and zmq.zmq_version_info() >= (4, 2):
    sock.setsockopt(zmq.HEARTBEAT_IVL, 30)
    sock.setsockopt(zmq.HEARTBEAT_TTL, 6000)

if kind == "ROUTER":
    sock.bind(address)
    print("bound", flush=True)
    for _ in sizes:
        sock.send_multipart(sock.recv_multipart())
else:
    sock.setsockopt(zmq.IDENTITY, b"recorded")
    sock.connect(address)
    for number, size in enumerate(sizes):
        frames = [b"CALL", b"%d" % number, b"x" * size]
        sock.send_multipart(frames)
        assert sock.recv_multipart() == frames
time.sleep(0.2)  # for a few heartbeats
print(zmq.zmq_version())
sock.close()
