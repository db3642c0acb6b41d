"""How the server makes sure of the user, and the user of the server: sans-IO.

An Authentication message of the server (`R`) has a code: `AUTHENTICATION` names them. Of these are answered
cleartext, MD5 and SASL with SCRAM-SHA-256, by RFC 5802 and RFC 7677:

    C: SASLInitialResponse   n,,n=,r=<nonce>
    S: SASLContinue          r=<nonce><more>,s=<salt>,i=<iterations>
    C: SASLResponse          c=<the header again, and the channel binding>,r=<nonce><more>,p=<proof>
    S: SASLFinal             v=<the server's signature>

The proof shows that the client knows the password, and does not tell it; the signature shows the same of the
server, and is checked. With -PLUS the proof covers the certificate of the TLS session
(`tls-server-end-point`, RFC 5929), so that nobody sits between.

Source: https://www.postgresql.org/docs/current/sasl-authentication.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from typing import Any

from fastweb.postgres.errors import ProtocolError

__all__ = ["AUTHENTICATION", "AuthenticationRefused", "Scram", "certificate_hash", "md5_answer", "saslprep"]

#: The code of an Authentication message -> what require_auth calls the method.
OK, KERBEROS, CLEARTEXT, MD5, GSS, GSS_CONTINUE, SSPI, SASL, SASL_CONTINUE, SASL_FINAL = (
    *(0, 2, 3, 5, 7, 8, 9, 10, 11, 12),
)
AUTHENTICATION = {
    OK: "none",
    KERBEROS: "krb5",
    CLEARTEXT: "password",
    MD5: "md5",
    GSS: "gss",
    SSPI: "sspi",
    SASL: "scram-sha-256",
}


class AuthenticationRefused(Exception):  # noqa: N818 - what it is; the caller makes the error with the address
    """The client will not go on: one line, without a password in it."""


def md5_answer(user: str, password: str, salt: bytes) -> bytes:
    """`md5` and the digest of the digest of password and user, and of the salt."""
    inner = hashlib.md5(password.encode() + user.encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()


def saslprep(password: str) -> str:
    """A password in the form that both sides agree on (RFC 4013); as it is, where that has none for it.

    PostgreSQL takes a password that is no SASLprep string as it is, so do we.
    """
    if password.isascii():
        return password
    # 2.1: mapping; 2.2: normalization.
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    text = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not text:
        return password
    # 2.3: prohibited output; 2.5: code points that Unicode 3.2 does not have.
    for char in text:
        if any(table(char) for table in _PROHIBITED):
            return password
    # 2.4: right-to-left text is that alone, from its first character to its last.
    if any(stringprep.in_table_d1(char) for char in text):
        if any(stringprep.in_table_d2(char) for char in text):
            return password
        if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
            return password
    return text


_PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class Scram:
    """One exchange of SCRAM-SHA-256, as the client.

    Arguments:
        password: as the user has it.
        binding: the hash of the server's certificate, for SCRAM-SHA-256-PLUS; empty without.
        could_bind: whether this client would have bound the channel, had the server offered it: a server that
            did is told so, and knows that somebody between has taken its offer away.
        most: of the iterations.
        client_key, server_key: instead of the password.
    """

    def __init__(
        self,
        password: str,
        binding: bytes = b"",
        *,
        could_bind: bool = False,
        most: int = 1_000_000,
        client_key: bytes = b"",
        server_key: bytes = b"",
    ) -> None:
        self.password = password
        self.mechanism = "SCRAM-SHA-256-PLUS" if binding else "SCRAM-SHA-256"
        self.most = most
        self.salt = b""
        self.iterations = 0
        self.client_key = client_key
        self.server_key = server_key
        #: The server has shown that it knows the password.
        self.done = False
        # gs2-header = gs2-cbind-flag "," [ authzid ] ","
        self._header = b"p=tls-server-end-point,," if binding else b"y,," if could_bind else b"n,,"
        self._binding = binding
        # 18 bytes are 24 characters of base64, with no = at the end.
        self._nonce = base64.b64encode(secrets.token_bytes(18))
        self._messages = b"n=,r=" + self._nonce
        self._answer_nonce = b""

    def first(self) -> bytes:
        """The client-first-message. The user is in the StartupMessage: `n` is empty, as libpq has it."""
        return self._header + self._messages

    def read_first(self, message: bytes) -> None:
        """The server-first-message: `r=…,s=…,i=…`.

        Raises:
            ProtocolError: it is not made so, or its nonce is not ours and more.
            AuthenticationRefused: it asks for more iterations than `most`.
        """
        fields = _attributes(message, b"rsi")
        nonce, salt, iterations = fields[b"r"], fields[b"s"], fields[b"i"]
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce):
            raise ProtocolError("SCRAM: the server's nonce does not go on from the client's")
        try:
            self.salt = base64.b64decode(salt, validate=True)
        except binascii.Error:
            self.salt = b""
        if not self.salt:
            raise ProtocolError("SCRAM: the server's salt is no base64")
        if not (iterations.isdigit() and len(iterations) <= 10) or int(iterations) < 1:
            raise ProtocolError("SCRAM: the server's number of iterations is none")
        self.iterations = int(iterations)
        if self.iterations > self.most:
            raise AuthenticationRefused(
                f"the server asks for {self.iterations:,} iterations of SCRAM, and {self.most:,} are the most"
                " (scram_iterations=)"
            )
        self._answer_nonce = nonce
        self._messages += b"," + message

    def make_keys(self) -> None:
        """What takes its time: SaltedPassword := Hi(password, salt, i), 0.3 µs an iteration. For a thread."""
        if self.client_key and self.server_key:
            return
        password = saslprep(self.password).encode("utf-8", "surrogatepass")
        salted = hashlib.pbkdf2_hmac("sha256", password, self.salt, self.iterations)
        self.client_key = _hmac(salted, b"Client Key")
        self.server_key = _hmac(salted, b"Server Key")

    def final(self) -> bytes:
        """The client-final-message, with the proof: `c=…,r=…,p=…`."""
        header = base64.b64encode(self._header + self._binding)
        without_proof = b"c=" + header + b",r=" + self._answer_nonce
        self._messages += b"," + without_proof
        stored_key = hashlib.sha256(self.client_key).digest()
        signature = _hmac(stored_key, self._messages)
        proof = bytes(one ^ other for one, other in zip(self.client_key, signature, strict=True))
        return without_proof + b",p=" + base64.b64encode(proof)

    def read_final(self, message: bytes) -> None:
        """The server-final-message: `v=<signature>`, or `e=<error>`.

        Raises:
            AuthenticationRefused: the signature is not that of a server which knows the password.
        """
        if message.startswith(b"e="):
            raise AuthenticationRefused("the server ended the exchange of SCRAM with an error")
        try:
            signature = base64.b64decode(_attributes(message, b"v")[b"v"], validate=True)
        except binascii.Error:
            signature = b""
        if not hmac.compare_digest(signature, _hmac(self.server_key, self._messages)):
            raise AuthenticationRefused(
                "the server does not know the password: its signature of SCRAM is wrong; it is not the server"
                " that it says it is"
            )
        self.done = True


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _attributes(message: bytes, names: bytes) -> dict[bytes, bytes]:
    """`a=value,b=value`: the attributes `names` in this order. Extensions behind them are ignored."""
    parts = message.split(b",")
    found: dict[bytes, bytes] = {}
    for number, name in enumerate(names):
        part = parts[number] if number < len(parts) else b""
        if part[:2] != bytes((name,)) + b"=":
            raise ProtocolError("a message of SCRAM is not made as it must be")
        found[bytes((name,))] = part[2:]
    return found


# --- the hash of a certificate
# -----------------------------------------------------------------------------------

#: signatureAlgorithm -> the hash of tls-server-end-point: the signature's own, but SHA-256 for MD5 and SHA-1
#: (RFC 5929, section 4.1). An algorithm that hashes nothing by itself (Ed25519) has none, and no channel
#: binding.
_SIGNATURES = {
    "1.2.840.113549.1.1.4": "sha256",  # md5WithRSAEncryption
    "1.2.840.113549.1.1.5": "sha256",  # sha1WithRSAEncryption
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.10040.4.3": "sha256",  # dsa-with-sha1
    "2.16.840.1.101.3.4.3.1": "sha224",
    "2.16.840.1.101.3.4.3.2": "sha256",
    "1.2.840.10045.4.1": "sha256",  # ecdsa-with-SHA1
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_PSS = "1.2.840.113549.1.1.10"
#: hashAlgorithm of RSASSA-PSS-params, whose default is SHA-1.
_HASHES = {
    "1.3.14.3.2.26": "sha256",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
}


def certificate_hash(certificate: bytes) -> bytes:
    """The channel binding `tls-server-end-point` of a certificate in DER; empty where it has none."""
    try:
        name = _hash_name(certificate)
    except (IndexError, ValueError):
        return b""
    return hashlib.new(name, certificate).digest() if name else b""


def _hash_name(certificate: bytes) -> str:
    # Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
    body = _element(certificate, 0, 0x30)[0]
    _, after = _element(body, 0, 0x30)
    # AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }
    algorithm, _ = _element(body, after, 0x30)
    oid, after = _element(algorithm, 0, 0x06)
    name = _dotted(oid)
    if name != _PSS:
        return _SIGNATURES.get(name, "")
    # RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] AlgorithmIdentifier DEFAULT sha1, ... }
    params, _ = _element(algorithm, after, 0x30)
    if not params or params[0] != 0xA0:
        return "sha256"
    explicit, _ = _element(params, 0, 0xA0)
    identifier, _ = _element(explicit, 0, 0x30)
    return _HASHES.get(_dotted(_element(identifier, 0, 0x06)[0]), "")


def _element(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """The content of the DER element at `at`, which must have `tag`, and where the next begins."""
    if data[at] != tag:
        raise ValueError("another element of DER was expected")
    size, at = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("a length of DER that is none")
        size, at = int.from_bytes(data[at : at + count], "big"), at + count
    if at + size > len(data):
        raise ValueError("an element of DER that is cut off")
    return data[at : at + size], at + size


def _dotted(oid: bytes) -> str:
    first, *rest = oid
    numbers = [min(first // 40, 2), first - 40 * min(first // 40, 2)]
    value = 0
    for byte in rest[:64]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))


def kept_keys(cache: dict[Any, Any], scram: Scram) -> bool:
    """Whether `cache` has the keys for what the server asked for: they are put into `scram` then."""
    keys = cache.get(("scram", scram.password, scram.salt, scram.iterations))
    if keys is not None:
        scram.client_key, scram.server_key = keys
    return keys is not None


def keep_keys(cache: dict[Any, Any], scram: Scram) -> None:
    """Keeps the keys of an exchange that succeeded: the next connections of a pool need not work them out."""
    for old in [key for key in cache if key[0] == "scram"][:-7]:
        del cache[old]
    cache["scram", scram.password, scram.salt, scram.iterations] = scram.client_key, scram.server_key
