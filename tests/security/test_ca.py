"""The authority: what it signs, what it refuses, and how its key lies on disk."""

from __future__ import annotations

import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leitstand.core.limits import CERTIFICATE_LIFE
from leitstand.core.problem import Problem
from leitstand.security.ca import (
    AUTHORITY_LIFE,
    Authority,
    RequestRefused,
    WorkerCredentials,
    fingerprint,
    instance_of,
)
from leitstand.security.listener import names_of, nearest

INSTANCE = "inst_01J9ZKQ4T7M3V0R5N8X2C6B1DA"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("data") / "ca")


def now() -> datetime:
    return datetime.now(UTC)


def request_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str = INSTANCE) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def handshake(
    client: ssl.SSLContext, server: ssl.SSLContext, host: str = "127.0.0.1"
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends of a connection in memory, after each has read from the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=host)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    near.write(b"hello")
    assert far.read(5) == b"hello"
    return near, far


# --- worker certificates -------------------------------------------------------------------------


def test_a_certificate_names_one_instance_for_thirty_minutes_and_clients_only(
    authority: Authority,
) -> None:
    at = now().replace(microsecond=0)
    request = WorkerCredentials.generate().csr_pem(INSTANCE)
    pem = authority.sign_instance(request, INSTANCE, at)
    leaf = x509.load_pem_x509_certificate(pem)
    assert leaf.not_valid_after_utc == at + CERTIFICATE_LIFE == at + timedelta(minutes=30)
    assert leaf.not_valid_before_utc == at - timedelta(minutes=1)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier(f"leitstand:instance/{INSTANCE}")]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    assert leaf.public_key() == x509.load_pem_x509_csr(request).public_key()
    assert authority.serial(pem) == f"{leaf.serial_number:x}"


@pytest.mark.parametrize(("purpose", "accepted"), [("sslclient", True), ("sslserver", False)])
def test_openssl_judges_the_certificate(
    authority: Authority, tmp_path: Path, purpose: str, accepted: bool
) -> None:
    pem = authority.sign_instance(WorkerCredentials.generate().csr_pem(INSTANCE), INSTANCE, now())
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    (tmp_path / "leaf.pem").write_bytes(pem)
    judge = ["openssl", "verify", "-x509_strict", "-purpose", purpose]
    verdict = subprocess.run(
        [*judge, "-CAfile", tmp_path / "ca.pem", tmp_path / "leaf.pem"],
        capture_output=True,
        check=False,
    )
    assert (verdict.returncode == 0) is accepted, verdict.stderr


def test_two_certificates_have_different_serials(authority: Authority) -> None:
    request = WorkerCredentials.generate().csr_pem(INSTANCE)
    pems = [authority.sign_instance(request, INSTANCE, now()) for _ in range(2)]
    assert authority.serial(pems[0]) != authority.serial(pems[1])


def test_a_request_for_another_instance_is_refused(authority: Authority) -> None:
    request = WorkerCredentials.generate().csr_pem("inst_other")
    with pytest.raises(RequestRefused, match="another instance"):
        authority.sign_instance(request, INSTANCE, now())


def test_a_request_that_its_key_did_not_sign_is_refused(authority: Authority) -> None:
    request = x509.load_pem_x509_csr(WorkerCredentials.generate().csr_pem(INSTANCE))
    der = bytearray(request.public_bytes(Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    with pytest.raises(RequestRefused):
        authority.sign_instance(forged, INSTANCE, now())


def test_other_kinds_of_keys_are_refused(authority: Authority) -> None:
    for key in (
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec.generate_private_key(ec.SECP384R1()),
    ):
        with pytest.raises(RequestRefused, match="P-256"):
            authority.sign_instance(request_of(key), INSTANCE, now())


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"])
def test_what_is_no_request_is_refused(authority: Authority, pem: bytes) -> None:
    with pytest.raises(RequestRefused):
        authority.sign_instance(pem, INSTANCE, now())


def test_names_a_request_asks_for_are_not_copied(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, INSTANCE)])
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier("leitstand:instance/inst_other")]
            ),
            critical=False,
        )
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )
    leaf = x509.load_pem_x509_certificate(authority.sign_instance(greedy, INSTANCE, now()))
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"leitstand:instance/{INSTANCE}"
    ]


@pytest.mark.parametrize("instance_id", ["", "a b", "a/b", "inst_1\n", "é", "x" * 65])
def test_what_is_no_instance_id_gets_no_certificate(authority: Authority, instance_id: str) -> None:
    with pytest.raises(ValueError, match="instance id"):
        authority.sign_instance(b"", instance_id, now())


@pytest.mark.parametrize(
    "names",
    [
        (),
        (("DNS", f"leitstand:instance/{INSTANCE}"),),
        (("URI", INSTANCE),),
        (("URI", "leitstand:instance/"),),
        (("URI", "leitstand:instance/a/b"),),
        (("URI", "other:instance/a"),),
        (("URI", "leitstand:instance/a"), ("URI", "leitstand:instance/b")),
        (("URI", "leitstand:instance/a"), ("DNS", "example.org")),
    ],
)
def test_a_certificate_of_another_form_names_nobody(names: tuple[tuple[str, str], ...]) -> None:
    assert instance_of({"subjectAltName": names}) is None
    assert instance_of({}) is None
    assert instance_of(None) is None
    assert instance_of({"subjectAltName": (("URI", "leitstand:instance/a"),)}) == "a"


# --- connections in memory -----------------------------------------------------------------------


def test_both_ends_speak_tls_1_3_and_know_each_other(authority: Authority) -> None:
    worker = WorkerCredentials.generate()
    pem = authority.sign_instance(worker.csr_pem(INSTANCE), INSTANCE, now())
    near, far = handshake(
        worker.client_context(authority.certificate_pem, pem),
        authority.server_context(["127.0.0.1"], now()),
    )
    assert near.version() == far.version() == "TLSv1.3"
    assert instance_of(far.getpeercert()) == INSTANCE


@pytest.mark.parametrize(
    ("off", "reason"),
    [
        (-CERTIFICATE_LIFE - timedelta(seconds=1), "expired"),
        (timedelta(minutes=5), "not yet valid"),
    ],
)
def test_the_server_refuses_a_certificate_out_of_its_time(
    authority: Authority, off: timedelta, reason: str
) -> None:
    worker = WorkerCredentials.generate()
    pem = authority.sign_instance(worker.csr_pem(INSTANCE), INSTANCE, now() + off)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        handshake(
            worker.client_context(authority.certificate_pem, pem),
            authority.server_context(["127.0.0.1"], now()),
        )


def test_the_server_refuses_a_certificate_of_another_authority(
    authority: Authority, tmp_path: Path
) -> None:
    worker = WorkerCredentials.generate()
    other = Authority.open(tmp_path / "other")
    pem = other.sign_instance(worker.csr_pem(INSTANCE), INSTANCE, now())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(
            worker.client_context(authority.certificate_pem, pem),
            authority.server_context(["127.0.0.1"], now()),
        )


def test_neither_end_speaks_an_older_tls(authority: Authority) -> None:
    server = authority.server_context(["127.0.0.1"], now())
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    assert server.minimum_version == client.minimum_version == ssl.TLSVersion.TLSv1_3
    older = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        handshake(older, server)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "control.example.org", "localhost"])
def test_the_server_proves_each_of_its_names_and_addresses(authority: Authority, host: str) -> None:
    server = authority.server_context(["127.0.0.1", "::1", "control.example.org", host], now())
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    handshake(client, server, host)


@pytest.mark.parametrize("host", ["127.0.0.2", "other.example.org"])
def test_a_name_the_server_does_not_have_is_refused(authority: Authority, host: str) -> None:
    server = authority.server_context(["127.0.0.1", "control.example.org"], now())
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(client, server, host)


@pytest.mark.parametrize(
    ("url", "dialled"),
    [
        ("https://plane.example:7443", "plane.example"),
        ("https://Leitstelle-Köln.example", "leitstelle-köln.example"),
        ("https://192.0.2.7:7443", "192.0.2.7"),
        ("https://[2001:db8::7]:7443", "2001:db8::7"),
    ],
)
def test_a_worker_that_dials_the_advertised_address_knows_the_server(
    authority: Authority, url: str, dialled: str
) -> None:
    server = authority.server_context(names_of("0.0.0.0", url), now())
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    handshake(client, server, dialled)
    handshake(client, server, "localhost")


@pytest.mark.parametrize(
    ("host", "advertised", "dialled"),
    [
        ("127.0.0.1", None, "https://127.0.0.1:7443"),
        ("127.0.0.1", "https://plane.example:8443", "https://127.0.0.1:7443"),
        ("0.0.0.0", "https://plane.example:8443", "https://127.0.0.1:7443"),
        ("192.0.2.7", "https://plane.example:8443", "https://192.0.2.7:7443"),
        ("::", "https://plane.example:8443", "https://localhost:7443"),
        ("2001:db8::7", None, "https://[2001:db8::7]:7443"),
        ("127.0.0.1", "https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("0.0.0.0", "https://localhost:8443", "https://localhost:8443"),
    ],
)
def test_a_worker_of_this_computer_dials_its_listener_and_knows_it(
    authority: Authority, host: str, advertised: str | None, dialled: str
) -> None:
    assert nearest(host, 7443, advertised) == dialled
    server = authority.server_context(names_of(host, advertised), now())
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    handshake(client, server, str(urlsplit(dialled).hostname))


def test_a_worker_trusts_the_pinned_authority_alone(authority: Authority, tmp_path: Path) -> None:
    other = Authority.open(tmp_path / "other")
    server = other.server_context(["127.0.0.1"], now())
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server)


def test_a_worker_certificate_cannot_act_as_a_server(authority: Authority, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = authority.sign_instance(request_of(key), INSTANCE, now())
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "both.pem").write_bytes(plain + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "both.pem")
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(client, server)


def test_a_worker_whose_clock_is_slow_still_reaches_the_server(authority: Authority) -> None:
    """The server's chain is a day old when it is made; a future start would be refused."""
    early = now() + timedelta(hours=23)
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    handshake(client, authority.server_context(["127.0.0.1"], early))
    with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
        handshake(client, authority.server_context(["127.0.0.1"], early + timedelta(hours=2)))


def test_the_server_certificate_lives_as_long_as_the_authority(authority: Authority) -> None:
    client = WorkerCredentials.generate().client_context(authority.certificate_pem, None)
    near, _ = handshake(client, authority.server_context(["127.0.0.1"], now()))
    shown = near.getpeercert(binary_form=True)
    assert shown is not None
    leaf = x509.load_der_x509_certificate(shown)
    root = x509.load_pem_x509_certificate(authority.certificate_pem)
    assert leaf.not_valid_after_utc == root.not_valid_after_utc


def test_certificate_and_key_of_a_worker_must_belong_together(authority: Authority) -> None:
    pem = authority.sign_instance(WorkerCredentials.generate().csr_pem(INSTANCE), INSTANCE, now())
    with pytest.raises(ssl.SSLError):
        WorkerCredentials.generate().client_context(authority.certificate_pem, pem)


def test_a_listener_without_a_name_is_a_mistake(authority: Authority) -> None:
    with pytest.raises(ValueError, match="name"):
        authority.server_context([], now())


# --- on disk -------------------------------------------------------------------------------------


def test_the_authority_is_private_and_the_same_when_opened_again(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "ca"
    first = Authority.open(folder)
    first.server_context(["127.0.0.1"], now())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert files == {"ca.key": 0o600, "ca.pem": 0o600}
    again = Authority.open(folder)
    assert again.sha256 == first.sha256 == fingerprint(again.certificate_pem)
    der = ssl.PEM_cert_to_DER_cert(first.certificate_pem.decode())
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-r"], input=der, capture_output=True, check=True
    )
    assert digest.stdout.split()[0].decode() == first.sha256


def test_a_crash_between_key_and_certificate_is_mended(tmp_path: Path) -> None:
    first = Authority.open(tmp_path / "ca")
    (tmp_path / "ca" / "ca.pem").unlink()
    again = Authority.open(tmp_path / "ca")
    keys = [x509.load_pem_x509_certificate(a.certificate_pem).public_key() for a in (first, again)]
    assert keys[0] == keys[1]


def test_a_key_others_can_read_is_refused_by_name(tmp_path: Path) -> None:
    Authority.open(tmp_path / "ca")
    (tmp_path / "ca" / "ca.key").chmod(0o640)
    with pytest.raises(Problem) as refused:
        Authority.open(tmp_path / "ca")
    assert refused.value.code == "key-file-readable"
    assert refused.value.params == {"path": str(tmp_path / "ca" / "ca.key")}


def test_a_folder_others_can_enter_is_refused_by_name(tmp_path: Path) -> None:
    tmp_path.joinpath("ca").mkdir(mode=0o755)
    with pytest.raises(Problem) as refused:
        Authority.open(tmp_path / "ca")
    assert refused.value.code == "key-folder-readable"


@pytest.mark.parametrize("name", ["ca.key", "ca.pem"])
@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_damaged_file_is_named_and_not_replaced(
    tmp_path: Path, name: str, content: bytes
) -> None:
    Authority.open(tmp_path / "ca")
    (tmp_path / "ca" / name).write_bytes(content)
    with pytest.raises(Problem) as refused:
        Authority.open(tmp_path / "ca")
    assert refused.value.code == "key-file-damaged"
    assert refused.value.params == {"path": str(tmp_path / "ca" / name)}
    assert (tmp_path / "ca" / name).read_bytes() == content


def test_a_certificate_of_another_key_is_damaged(tmp_path: Path) -> None:
    Authority.open(tmp_path / "ca")
    other = Authority.open(tmp_path / "other")
    (tmp_path / "ca" / "ca.pem").write_bytes(other.certificate_pem)
    with pytest.raises(Problem) as refused:
        Authority.open(tmp_path / "ca")
    assert refused.value.code == "key-file-damaged"


def test_an_authority_that_has_ended_says_so(tmp_path: Path) -> None:
    made = now() - AUTHORITY_LIFE - timedelta(seconds=1)
    Authority.open(tmp_path / "ca", made)
    with pytest.raises(Problem) as refused:
        Authority.open(tmp_path / "ca")
    assert refused.value.code == "authority-ended"


def test_whatever_a_certificate_says_a_writer_is_refused_in_one_way(tmp_path: Path) -> None:
    """Each byte of a good one changed, in turn."""
    now = datetime.now(UTC)
    authority, credentials = Authority.open(tmp_path, now), WorkerCredentials.generate()
    pem = authority.sign_instance(credentials.csr_pem("instance_1"), "instance_1", now)
    signature, der = credentials.sign(b"said"), ssl.PEM_cert_to_DER_cert(pem.decode())
    assert authority.writer(pem, (now, now), b"said", signature) == "instance_1"
    for at in range(len(der)):
        changed = der[:at] + bytes([der[at] ^ 0x7F]) + der[at + 1 :]
        with pytest.raises(ValueError):
            authority.writer(
                ssl.DER_cert_to_PEM_cert(changed).encode(), (now, now), b"said", signature
            )
