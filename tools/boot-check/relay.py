"""What an access switch's DHCP relay does: a request of one port goes to the server, with the port's name beside it.

relay.py INTERFACE GIADDR SERVER CIRCUIT: INTERFACE is where the port's device hangs, GIADDR the switch's address there.
ISC's relay cannot be used: its circuit id is the name of an interface, which holds 15 characters.
"""

from __future__ import annotations

import select
import socket
import sys

SERVER_PORT, CLIENT_PORT = 67, 68
REQUEST, REPLY, END, RELAY_AGENT, CIRCUIT_ID = 1, 2, b"\xff", 82, 1


def relayed(request: bytes, giaddr: str, circuit: str) -> bytes:
    """A request as it was broadcast -> the same as the server gets it: one hop further, with option 82 at its end."""
    option = bytes([CIRCUIT_ID, len(circuit)]) + circuit.encode()
    head = request[:3] + bytes([request[3] + 1]) + request[4:24] + socket.inet_aton(giaddr)
    return head + request[28 : request.rindex(END)] + bytes([RELAY_AGENT, len(option)]) + option + END


def opened(*options: tuple[int, bytes | int], address: str = "") -> socket.socket:
    """Options of a socket and an address -> it, on the server's port."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option, value in ((socket.SO_REUSEADDR, 1), *options):
        found.setsockopt(socket.SOL_SOCKET, option, value)
    found.bind((address, SERVER_PORT))
    return found


def main(interface: str, giaddr: str, server: str, circuit: str) -> None:
    """Relays until it is ended."""
    below = opened((socket.SO_BROADCAST, 1), (socket.SO_BINDTODEVICE, interface.encode() + b"\0"))
    above = opened(address=giaddr)
    while True:
        for ready in select.select([below, above], [], [])[0]:
            packet = ready.recv(4096)
            if packet[0] == REQUEST and ready is below:
                above.sendto(relayed(packet, giaddr, circuit), (server, SERVER_PORT))
            elif packet[0] == REPLY:
                below.sendto(packet, ("255.255.255.255", CLIENT_PORT))


if __name__ == "__main__":
    main(*sys.argv[1:5])
