"""SCRAM by the RFCs' own vectors, SASLprep by RFC 4013's examples, and certificates of every signature."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

from fastweb.postgres import auth
from fastweb.postgres.auth import AuthenticationRefused, Scram, certificate_hash, md5_answer, saslprep
from fastweb.postgres.errors import ProtocolError

# RFC 7677, section 3.
NONCE = b"rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def scram(password: str = "pencil", *, most: int = 1_000_000) -> Scram:
    made = Scram(password, most=most)
    # The RFC's client says its name, libpq and this one leave it to the StartupMessage.
    made._nonce = NONCE
    made._messages = b"n=user,r=" + NONCE
    return made


def test_the_exchange_of_rfc_7677() -> None:
    made = scram()
    assert made.first() == b"n,,n=user,r=" + NONCE
    made.read_first(SERVER_FIRST)
    made.make_keys()
    assert made.final() == CLIENT_FINAL
    assert not made.done
    made.read_final(SERVER_FINAL)
    assert made.done


@pytest.mark.parametrize(
    "message",
    [
        b"v=",
        b"v=AAAA",
        b"v=!!!!",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95H4=",
        b"e=invalid-proof",
    ],
)
def test_a_server_that_does_not_know_the_password(message: bytes) -> None:
    made = scram()
    made.read_first(SERVER_FIRST)
    made.make_keys()
    made.final()
    with pytest.raises(AuthenticationRefused):
        made.read_final(message)
    assert not made.done


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"r=" + NONCE + b",s=AAAA,i=1",
        b"r=other,s=AAAA,i=1",
        b"r=,s=AAAA,i=1",
        b"r=" + NONCE + b"x,s=,i=1",
        b"r=" + NONCE + b"x,s=!!!!,i=1",
        b"r=" + NONCE + b"x,s=AAAA,i=0",
        b"r=" + NONCE + b"x,s=AAAA,i=-1",
        b"r=" + NONCE + b"x,s=AAAA,i=",
        b"r=" + NONCE + b"x,s=AAAA,i=1e3",
        b"r=" + NONCE + b"x,s=AAAA,i= 1",
        b"r=" + NONCE + b"x,s=AAAA,i=99999999999",
        b"r=" + NONCE + b"x,s=AAAA",
        b"s=AAAA,r=" + NONCE + b"x,i=1",
        b"m=ext,r=" + NONCE + b"x,s=AAAA,i=1",
        b"\xff\xfe",
    ],
)
def test_a_first_message_that_is_none(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        scram().read_first(message)


def test_iterations_are_bounded() -> None:
    message = b"r=" + NONCE + b"x,s=AAAA,i="
    scram(most=5000).read_first(message + b"5000")
    with pytest.raises(AuthenticationRefused, match="5,001 iterations"):
        scram(most=5000).read_first(message + b"5001")
    with pytest.raises(AuthenticationRefused, match="2,147,483,647 iterations"):
        scram().read_first(message + b"2147483647")


@pytest.mark.parametrize(
    ("binding", "could_bind", "header"),
    [(b"", False, b"n,,"), (b"", True, b"y,,"), (b"hash", False, b"p=tls-server-end-point,,")],
)
def test_the_header_says_what_of_the_channel(binding: bytes, could_bind: bool, header: bytes) -> None:
    made = Scram("pencil", binding, could_bind=could_bind)
    assert made.first().startswith(header + b"n=,r=")
    made.read_first(b"r=" + made._nonce + b"x,s=AAAA,i=1")
    made.make_keys()
    field = made.final().split(b",")[0]
    assert base64.b64decode(field[2:]) == header + binding


def test_nonces_differ() -> None:
    nonces = {Scram("").first() for _ in range(100)}
    assert len(nonces) == 100
    assert all(len(nonce) == len(b"n,,n=,r=") + 24 for nonce in nonces)


def test_kept_keys() -> None:
    cache: dict[object, object] = {}
    made = scram()
    made.read_first(SERVER_FIRST)
    assert not auth.kept_keys(cache, made)
    made.make_keys()
    auth.keep_keys(cache, made)
    other = scram()
    other.read_first(SERVER_FIRST)
    assert auth.kept_keys(cache, other)
    assert other.final() == CLIENT_FINAL
    different = scram("pencils")
    different.read_first(SERVER_FIRST)
    assert not auth.kept_keys(cache, different)
    for number in range(50):
        made.salt = bytes([number])
        auth.keep_keys(cache, made)
    assert len(cache) <= 8


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        # RFC 4013, section 3.
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        # What is no SASLprep string is taken as it is.
        ("\u0007ü", "\u0007ü"),
        ("\u0627\u0031", "\u0627\u0031"),
        ("", ""),
        ("\u00a0", " "),
        ("a\u2003b", "a b"),
        ("\u00ad", "\u00ad"),
        ("\ufb01", "fi"),
        ("e\u0301", "\u00e9"),
        ("\u0627a\u0627", "\u0627a\u0627"),
        ("\u0627\u0628", "\u0627\u0628"),
        # A code point that Unicode 3.2 does not have.
        ("\u0221", "\u0221"),
        ("\U0001f600\ufb01", "\U0001f600\ufb01"),
        ("\u2028\ufb01", "\u2028\ufb01"),
    ],
)
def test_saslprep(password: str, prepared: str) -> None:
    assert saslprep(password) == prepared


def test_md5() -> None:
    inner = hashlib.md5(b"secretbob").hexdigest()
    expected = b"md5" + hashlib.md5(inner.encode() + b"\1\2\3\4").hexdigest().encode()
    assert md5_answer("bob", "secret", b"\1\2\3\4") == expected


def certificate(sign: Callable[[x509.CertificateBuilder], x509.Certificate], public: object) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = datetime.datetime(2024, 1, 1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)  # type: ignore[arg-type]
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    return sign(builder).public_bytes(serialization.Encoding.DER)


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pss(algorithm: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(algorithm), 32)


@pytest.mark.parametrize(
    ("make", "public", "name"),
    [
        (lambda b: b.sign(RSA, hashes.SHA256()), RSA.public_key(), "sha256"),
        (lambda b: b.sign(RSA, hashes.SHA384()), RSA.public_key(), "sha384"),
        (lambda b: b.sign(RSA, hashes.SHA512()), RSA.public_key(), "sha512"),
        (lambda b: b.sign(RSA, hashes.SHA224()), RSA.public_key(), "sha224"),
        (lambda b: b.sign(EC, hashes.SHA256()), EC.public_key(), "sha256"),
        (lambda b: b.sign(EC, hashes.SHA384()), EC.public_key(), "sha384"),
        (lambda b: b.sign(EC, hashes.SHA512()), EC.public_key(), "sha512"),
        *(
            (lambda b, a=a: b.sign(RSA, a, rsa_padding=pss(a)), RSA.public_key(), a.name)
            for a in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
        ),
    ],
)
def test_the_hash_of_a_certificate_is_its_signatures(
    make: Callable[[x509.CertificateBuilder], x509.Certificate], public: object, name: str
) -> None:
    der = certificate(make, public)
    assert certificate_hash(der) == hashlib.new(name, der).digest()


def test_a_certificate_whose_signature_hashes_nothing() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    assert certificate_hash(certificate(lambda b: b.sign(key, None), key.public_key())) == b""


def test_dsa() -> None:
    key = dsa.generate_private_key(2048)
    der = certificate(lambda b: b.sign(key, hashes.SHA256()), key.public_key())
    assert certificate_hash(der) == hashlib.sha256(der).digest()


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"])
def test_md5_and_sha1_are_sha256(oid: str) -> None:
    """RFC 5929, section 4.1. Nothing signs with these any more: the certificate is made by hand."""
    numbers = [int(number) for number in oid.split(".")]
    body = bytes([numbers[0] * 40 + numbers[1]])
    for number in numbers[2:]:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        body += bytes(reversed(groups))
    algorithm = element(0x30, element(6, body))
    der = element(0x30, element(0x30, b"x" * 300) + algorithm + element(3, b"\0"))
    assert certificate_hash(der) == hashlib.sha256(der).digest()


def element(tag: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + content


def test_what_is_no_certificate_has_no_hash() -> None:
    der = certificate(lambda b: b.sign(RSA, hashes.SHA256()), RSA.public_key())
    for end in range(0, len(der) - 1, 7):
        assert certificate_hash(der[:end]) == b""
    for size in (b"\x80", b"\x84\xff\xff\xff\xff", b"\x88" + b"\xff" * 8, b"\xff"):
        assert certificate_hash(b"\x30" + size + der[4:]) == b""
