"""Free TCP ports, for processes that must be told their port before they start."""

import socket


def free_port() -> int:
    """Return a port that was free a moment ago.

    Another process can take it before ours does; every caller sees that as a
    process that did not start, with the reason in its log.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port, on any address of the machine."""
    with socket.socket() as probe:
        # As servers do it: a port whose last connections are still dying down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
