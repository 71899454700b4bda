"""The way to the server: its name, its port and its certificate."""

from __future__ import annotations

import socket
import ssl
import struct
from pathlib import Path

from data_bridge.core.doctor.step import Failed, Step
from data_bridge.core.settings.dsn import Address

__all__ = ["certificate", "port_open", "resolved"]

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64


def resolved(host: str) -> Step:
    """The addresses of a host name.

    Raises:
        Failed: it has none.
    """
    if host.startswith("/"):
        return Step("dns", "ok", f"{host} is a folder of unix sockets")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise Failed(
            "dns",
            f"the name {host} has no address ({type(e).__name__})",
            "check the spelling and the DNS of this machine",
        ) from None
    addresses = sorted({str(info[4][0]) for info in found})
    return Step("dns", "ok", f"{host} is {', '.join(addresses)}")


def port_open(host: str, port: int, timeout: float) -> tuple[Step, socket.socket]:
    """A connection to the port; the caller closes it.

    Raises:
        Failed: nothing answers there.
    """
    try:
        if host.startswith("/"):
            path = Path(host, f".s.PGSQL.{port}")
            plug = socket.socket(socket.AF_UNIX)
            plug.settimeout(timeout)
            plug.connect(str(path))
            return Step("tcp", "ok", f"{path} accepts connections"), plug
        return Step("tcp", "ok", f"{host}:{port} accepts connections"), socket.create_connection((host, port), timeout)
    except ConnectionRefusedError:
        detail, cure = "nothing listens there", "start the server, and check its port and listen_addresses"
    except FileNotFoundError:
        detail, cure = (
            "there is no socket of this port",
            "start the server, and check its port and unix_socket_directories",
        )
    except TimeoutError:
        detail, cure = f"no answer within {timeout:g} s", "check firewalls, security groups and routes"
    except OSError as e:
        detail, cure = f"it cannot be reached ({e.strerror or type(e).__name__})", "check the network of this machine"
    raise Failed("tcp", f"{host}:{port}: {detail}", cure)


def certificate(address: Address, host: str, plug: socket.socket) -> Step:
    """Encryption as `sslmode` asks for it, and the certificate of the server with `verify-full`.

    Raises:
        Failed: the server does not encrypt, does not speak the protocol, or shows a certificate that is not trusted.
    """
    root = address.settings.get("sslrootcert")
    mode = address.settings.get("sslmode") or ("verify-full" if root == "system" else "prefer")
    if mode == "disable" or host.startswith("/"):
        return Step("tls", "ok", "not asked for")
    try:
        plug.sendall(_SSL_REQUEST)
        answer = plug.recv(1)
    except OSError:
        answer = b""
    if answer == b"N":
        if mode != "prefer":
            raise Failed(
                "tls",
                f"the server does not encrypt, and sslmode={mode} asks for it",
                "set ssl = on and a certificate on the server",
            )
        return Step("tls", "ok", "the server does not encrypt, and sslmode=prefer accepts that")
    if answer != b"S":
        raise Failed("tls", "what listens there does not answer like PostgreSQL", "check the host and the port")
    return _handshake(mode, root, host, plug)


def _handshake(mode: str, root: str | None, host: str, plug: socket.socket) -> Step:
    checks = mode == "verify-full"
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else root)
    except (OSError, ssl.SSLError):
        raise Failed("tls", f"sslrootcert: {root} holds no certificate that can be read", "give a PEM file") from None
    if not checks:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(plug, server_hostname=host) as secured:
            found = secured.getpeercert() or {}
            until = f", valid until {found['notAfter']}" if "notAfter" in found else ", the certificate is not checked"
            return Step("tls", "ok", f"{secured.version()}{until}")
    except ssl.SSLCertVerificationError as e:
        raise Failed("tls", *_distrust(e, host, root)) from None
    except (OSError, ssl.SSLError) as e:
        raise Failed(
            "tls", f"the handshake fails ({type(e).__name__})", "check the TLS versions of both sides"
        ) from None


def _distrust(error: ssl.SSLCertVerificationError, host: str, root: str | None) -> tuple[str, str]:
    if error.verify_code == _EXPIRED:
        return "the certificate of the server has expired", "renew it on the server"
    if error.verify_code == _NOT_YET:
        return "the certificate of the server is not valid yet", "check the clocks of both machines"
    if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        return (
            f"the certificate of the server is not for {host}",
            "connect by the name in the certificate, or issue it for this name",
        )
    return (
        f"the certificate of the server is not signed by {'a public authority' if root in (None, 'system') else root}",
        "give the certificate of its authority: sslrootcert=FILE",
    )
