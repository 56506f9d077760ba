"""The internal authority: who a worker is, and how a worker knows the control plane.

One self-signed EC P-256 certificate per installation. Workers pin it by SHA-256; it signs worker
certificates of 30 minutes that name one instance and serve for nothing but TLS clients. There is no
revocation list: a certificate ends soon, and every write is checked against a lease as well.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leitstand import private
from leitstand.core.limits import CERTIFICATE_LIFE, CLOCK_SKEW_MAX
from leitstand.core.problem import Exit, Problem

AUTHORITY_LIFE = timedelta(days=3650)
BACKDATED = timedelta(days=1)
"""The authority and its server leaf are valid from this long before they are made: a worker whose
clock is slow still connects, and is refused at admission by name, not by a puzzling TLS error."""

_KEY_FILE_BYTES_MAX = 65_536
_INSTANCE_PREFIX = "leitstand:instance/"
_INSTANCE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RequestRefused(Exception):
    """A certificate request that is malformed, unsigned, for another name or another key type."""


class Authority:
    """Signs for one installation. Its key lies in `ca.key`, mode 0600, and never leaves."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate
        self.certificate_pem: bytes = certificate.public_bytes(Encoding.PEM)
        self.sha256: str = certificate.fingerprint(SHA256()).hex()
        """Of the DER form, lower-case hex: what a launch spec carries."""

    @classmethod
    def open(cls, folder: Path, now: datetime | None = None) -> Authority:
        """The authority in `folder`, made if there is none yet.

        The certificate follows from the key, so a crash between the two files is mended here.
        Raises Problem on files others can read, on damaged ones and on an authority that has ended.
        """
        now = now or datetime.now(UTC)
        key_path, certificate_path = folder / "ca.key", folder / "ca.pem"
        private.folder(folder)
        if not key_path.exists():
            certificate_path.unlink(missing_ok=True)
            private.write_new(key_path, _private_pem(ec.generate_private_key(ec.SECP256R1())))
        key = _read_key(key_path)
        if not certificate_path.exists():
            private.write_new(certificate_path, _self_signed(key, now).public_bytes(Encoding.PEM))
        try:
            certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        except ValueError as error:
            raise Problem("key-file-damaged", path=str(certificate_path)) from error
        if certificate.public_key() != key.public_key():
            raise Problem("key-file-damaged", path=str(certificate_path))
        if certificate.not_valid_after_utc <= now:
            raise Problem("authority-ended", Exit.REFUSED, path=str(key_path))
        return cls(key, certificate)

    def sign_instance(self, csr_pem: bytes, instance_id: str, now: datetime) -> bytes:
        """PEM of a client certificate for `instance_id`, valid for 30 minutes from `now`.

        Of the request only its key is used, and its name must be the one the caller has
        established by token or present certificate. Raises RequestRefused.
        """
        subject = _name(instance_id)
        try:
            request = x509.load_pem_x509_csr(csr_pem)
            signed = request.is_signature_valid
            key = request.public_key()
        except (ValueError, InvalidSignature) as error:
            raise RequestRefused("not a certificate request") from error
        if not signed:
            raise RequestRefused("the request is not signed by its key")
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise RequestRefused("the key is not EC P-256")
        if request.subject != subject:
            raise RequestRefused("the request names another instance")
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        names = [x509.UniformResourceIdentifier(_INSTANCE_PREFIX + instance_id)]
        start, end = now - CLOCK_SKEW_MAX, now + CERTIFICATE_LIFE
        return self._leaf(subject, key, usage, names, start, end).public_bytes(Encoding.PEM)

    def serial(self, certificate_pem: bytes) -> str:
        """The serial number in lower-case hex, as `instances.certificate_serial` keeps it."""
        return f"{x509.load_pem_x509_certificate(certificate_pem).serial_number:x}"

    def writer(
        self,
        certificate_pem: bytes,
        within: tuple[datetime, datetime],
        said: bytes,
        signature: bytes,
    ) -> str:
        """The instance that signed what is `said`: what TLS proves of a caller, of bytes that came
        another way. The certificate must be ours, for a TLS client, and have been valid some time
        `within` these two moments. Raises ValueError, and nothing else, whatever the bytes are."""
        try:
            return self._writer(certificate_pem, within, said, signature)
        except ValueError:
            raise
        except Exception as error:  # the parser has many words for what it does not know
            raise ValueError("not signed by a worker of ours") from error

    def _writer(
        self,
        certificate_pem: bytes,
        within: tuple[datetime, datetime],
        said: bytes,
        signature: bytes,
    ) -> str:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = certificate.public_key()
        certificate.verify_directly_issued_by(self._certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("the key is not EC P-256")
        key.verify(signature, said, ec.ECDSA(SHA256()))
        shown = [("URI", str(name.value)) for name in names.value]
        instance_id = instance_of({"subjectAltName": shown})
        if instance_id is None or list(usage.value) != [ExtendedKeyUsageOID.CLIENT_AUTH]:
            raise ValueError("not the certificate of a worker")
        start, end = within
        if certificate.not_valid_after_utc < start or certificate.not_valid_before_utc > end:
            raise ValueError("not valid at that time")
        return instance_id

    def server_context(self, hosts: Sequence[str], now: datetime) -> ssl.SSLContext:
        """TLS 1.3 for the workers' listener under the names and addresses `hosts`.

        A client certificate is optional here (routes require it) but, once shown, must be ours and
        valid. There are no session tickets: a resumed session would outlive its certificate.
        The leaf's key is made here, in memory only, so it lives as long as the authority: whoever
        reads it from this process also reads `ca.key`, and a shorter life would only add an outage.
        """
        if not hosts:
            raise ValueError("a listener has at least one name")
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._leaf(
            _name("leitstand"),
            key.public_key(),
            ExtendedKeyUsageOID.SERVER_AUTH,
            [_general_name(host) for host in hosts],
            now - BACKDATED,
            self._certificate.not_valid_after_utc,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _strict(context, self.certificate_pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.num_tickets = 0
        _load(context, key, leaf.public_bytes(Encoding.PEM))
        return context

    def _leaf(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        usage: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName],
        start: datetime,
        end: datetime,
    ) -> x509.Certificate:
        return (
            _builder(subject, self._certificate.subject, key, start, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, SHA256())
        )


class WorkerCredentials:
    """A worker's key pair, made at its start and never written down."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> WorkerCredentials:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def csr_pem(self, instance_id: str) -> bytes:
        """A signed certificate request in that instance's name."""
        request = x509.CertificateSigningRequestBuilder().subject_name(_name(instance_id))
        return request.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def sign(self, said: bytes) -> bytes:
        """A signature that `Authority.writer` takes."""
        return self._key.sign(said, ec.ECDSA(SHA256()))

    def client_context(self, ca_pem: bytes, certificate_pem: bytes | None) -> ssl.SSLContext:
        """TLS 1.3 that trusts `ca_pem` alone, checks the host name, and shows the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _strict(context, ca_pem)
        if certificate_pem is not None:
            _load(context, self._key, certificate_pem)
        return context


def fingerprint(certificate_pem: bytes) -> str:
    """Lower-case hex SHA-256 of the DER form, to compare with a pinned one. Raises ValueError."""
    return x509.load_pem_x509_certificate(certificate_pem).fingerprint(SHA256()).hex()


def instance_of(peercert: Mapping[str, Any] | None) -> str | None:
    """The instance a verified peer certificate (`SSLSocket.getpeercert()`) names, if any."""
    names = (peercert or {}).get("subjectAltName", ())
    if len(names) != 1 or names[0][0] != "URI":
        return None
    name = str(names[0][1])
    instance_id = name.removeprefix(_INSTANCE_PREFIX)
    if instance_id == name or not _INSTANCE_ID.fullmatch(instance_id):
        return None
    return instance_id


# --- certificates --------------------------------------------------------------------------------


def _name(common_name: str) -> x509.Name:
    if not _INSTANCE_ID.fullmatch(common_name):
        raise ValueError("not the form of an instance id")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode("ascii"))


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Leitstand authority")])
    return (
        _builder(name, name, key.public_key(), now - BACKDATED, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, SHA256())
    )


# --- TLS -----------------------------------------------------------------------------------------


def _strict(context: ssl.SSLContext, ca_pem: bytes) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=ca_pem.decode("ascii"))


def _load(context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, certificate_pem: bytes) -> None:
    """`load_cert_chain` wants a file; this one has no name and is gone when it returns."""
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_private_pem(key) + certificate_pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


# --- files ---------------------------------------------------------------------------------------


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    pem = private.read(path, _KEY_FILE_BYTES_MAX)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise Problem("key-file-damaged", path=str(path)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Problem("key-file-damaged", path=str(path))
    return key
