"""TLS with a certificate on both sides, from a folder as Docker's own client has it
(`ca.pem`, `cert.pem`, `key.pem`)."""

from __future__ import annotations

import ssl
from pathlib import Path

from leitstand import private
from leitstand.core.problem import Exit, Problem

KEY_BYTES_MAX = 1 << 16


def client_context(path: str, host: str) -> ssl.SSLContext:
    """TLS 1.3 that believes this authority alone and shows this certificate. Raises Problem
    `unreadable-path`, `key-file-readable` (others may read the key), `certificates-damaged`."""
    folder = Path(path).expanduser()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        private.read(folder / "key.pem", KEY_BYTES_MAX)
        for name in ("ca.pem", "cert.pem"):  # `ssl` says of a missing file only that one is
            (folder / name).open("rb").close()
        context.load_verify_locations(folder / "ca.pem")
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except ssl.SSLError:
        raise Problem("certificates-damaged", Exit.USAGE, folder=str(folder), host=host) from None
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise Problem(
            "unreadable-path", Exit.USAGE, path=str(error.filename or folder), detail=detail
        ) from None
    return context
