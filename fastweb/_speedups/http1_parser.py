"""Bytes into requests: the grammar of RFC 9112, to the letter, and nothing that does I/O.

    HTTP-message  = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]       section 2.1
    request-line  = method SP request-target SP HTTP-version                         section 3
    field-line    = field-name ":" OWS field-value OWS                               section 5
    chunk         = chunk-size [ chunk-ext ] CRLF chunk-data CRLF                     section 7.1
    chunked-body  = *chunk last-chunk trailer-section CRLF                            section 7.1

The bytes go in by `feed`; `next_event` reads on from where it was:

    HEAD   the head is complete: `method`, `target`, `headers` ... hold it until the next one's
    BODY   a piece of the body: `piece`
    END    the message is complete; whatever follows is the next request's
    MORE   nothing more can be said before more is fed

So who pulls may stop between any two events, and what was not read stays here (`has_rest`, `take_rest`).

What two readers might cut differently is refused, since that is what request smuggling is made of; the RFC
allows a server to be lenient in places (a bare LF, whitespace around things, folded lines), and this one
never is. A parser that has refused something must not be asked again: nobody knows where the next request
begins.

A line is looked at when its end has come (but for what shows at its first bytes or its last, and spares
both sides the wait). What can be pushed at it meanwhile is bounded by `Limits`, and a line that comes byte by
byte is gathered in linear time.
"""

import re
import socket
from sys import intern
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = ["BODY", "END", "HEAD", "MORE", "Refusal", "RequestParser"]

MORE = 0
HEAD = 1
BODY = 2
END = 3

_MORE = cython.declare(cython.int, 0)
_HEAD = cython.declare(cython.int, 1)
_BODY = cython.declare(cython.int, 2)
_END = cython.declare(cython.int, 3)

# What comes next.
_REQUEST_LINE = cython.declare(cython.int, 0)
_FIELDS = cython.declare(cython.int, 1)
_LENGTH = cython.declare(cython.int, 2)
_CHUNK_SIZE = cython.declare(cython.int, 3)
_CHUNK_DATA = cython.declare(cython.int, 4)
_CHUNK_END = cython.declare(cython.int, 5)
_TRAILERS = cython.declare(cython.int, 6)
_COMPLETE = cython.declare(cython.int, 7)

#: What most requests say, as one object.
_RECENT = cython.declare(str, intern("1.1"))

#: Methods as str, once each.
_METHODS = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
}

# RFC 9110 section 5.6.2: token = 1*tchar.
_TOKEN_CHARS = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
#: For each byte, whether it is a tchar.
_IS_TOKEN = cython.declare(bytes, bytes([byte in _TOKEN_CHARS for byte in range(256)]))

# In plain Python, one call of the regular expression engine is quicker than a loop over bytes.
_match_token = re.compile(_TOKEN).match
_match_text: Any = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").match
_match_target: Any = re.compile(rb"[\x21\x22\x24-\x7e]*").match

# RFC 9112 section 7.1.1: chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), where the
# value is a token or a quoted-string (RFC 9110 section 5.6.4).
_match_extensions = re.compile(
    rb"(?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|"
    rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*'
).fullmatch

# RFC 3986 section 3.2.2: an address in brackets, or a name or an IPv4 address; then a port. Not even an empty
# name is needed, but then there is no port (RFC 9110 section 4.2.1). There is no userinfo (section 4.2.4).
_match_host = re.compile(
    rb"(?:\[(?:([0-9A-Fa-f:.]+)|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]"
    rb"|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?|"
).fullmatch
_match_absolute = re.compile(rb"https?://([^/?]*)", re.IGNORECASE).match

#: Fields that would change, in a trailer section, what the message was taken for (RFC 9110 section 6.5.1).
_NOT_IN_TRAILERS = frozenset((b"transfer-encoding", b"content-length", b"host"))

#: A chunk's size has at most so many digits, zeros too.
_MOST_DIGITS = cython.declare(cython.Py_ssize_t, 16)

#: An unfinished line of a chunk's size may be so long, beside its extensions.
_CHUNK_LINE = cython.declare(cython.Py_ssize_t, 32)

#: An unfinished request line may be so long, beside its target.
_METHOD_AND_VERSION = cython.declare(cython.Py_ssize_t, 256)

#: Of each byte of a body, chunk extensions may have a part: signed uploads have some 90 bytes for 64 KiB.
_BODY_A_BYTE = cython.declare(cython.Py_ssize_t, 16)


_VERSIONS = (b"1.1", b"1.0")
_FOLDED = "a line of the head begins with whitespace"
_OTHER_VERSION = "no other version than HTTP/1.1 and HTTP/1.0 is spoken here"
_TWO_FRAMINGS = "a body is framed by Transfer-Encoding or by Content-Length, not both"

#: Fields that take no more bytes than these are compared with the next request's.
_MOST_KNOWN = cython.declare(cython.Py_ssize_t, 2048)


class Refusal(Exception):  # noqa: N818 - it is the client's error
    """A request that is not handed to the app: (status, why)."""


@cython.cfunc
@cython.inline
@cython.boundscheck(False)
@cython.wraparound(False)
def _token_end(data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Where the tchars that begin at start end; at most stop."""
    if cython.compiled:
        table: bytes = _IS_TOKEN
        while start < stop and table[data[start]]:
            start += 1
        return start
    else:
        found = _match_token(data, start, stop)
        return start if found is None else found.end()


@cython.cfunc
@cython.inline
@cython.boundscheck(False)
@cython.wraparound(False)
def _text_end(data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Where what a field's value may have ends: no control character but the tab (RFC 9110 section 5.5)."""
    if cython.compiled:
        c: cython.uchar
        while start < stop:
            c = data[start]
            if (c < 32 and c != 9) or c == 127:
                break
            start += 1
        return start
    else:
        stop = _match_text(data, start, stop).end()
        return stop


@cython.cfunc
@cython.inline
@cython.boundscheck(False)
@cython.wraparound(False)
def _target_end(data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Where what a request target may have ends: printable ASCII but the space and "#"."""
    if cython.compiled:
        c: cython.uchar
        while start < stop:
            c = data[start]
            if c <= 32 or c >= 127 or c == 35:
                break
            start += 1
        return start
    else:
        stop = _match_target(data, start, stop).end()
        return stop


@cython.cfunc
@cython.inline
@cython.boundscheck(False)
@cython.wraparound(False)
def _find_lf(data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Where the next LF is; -1 for nowhere."""
    if cython.compiled:
        start = capi.find_byte(data, start, 10)
        return start
    else:
        return data.find(b"\n", start)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _is_at(data: bytes, at: cython.Py_ssize_t, text: bytes, size: cython.Py_ssize_t) -> cython.bint:
    """Whether a text of that size stands at a place, behind which there are as many bytes."""
    if cython.compiled:
        same: cython.bint = capi.is_at(data, at, text, size)
        return same
    else:
        return data.startswith(text, at)


@cython.cfunc
@cython.inline
def _part(data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> bytes:
    """data[start:stop], of which neither is beyond its end."""
    if cython.compiled:
        part: bytes = capi.part(data, start, stop)
        return part
    else:
        return data[start:stop]


@cython.cclass
class RequestParser:
    """The requests of one connection, one after the other.

    Arguments:
        limits: `fastweb.limits.Limits`.

    Attributes:
        method, target, headers: of the last head; names are in lower case, values as they came, without the
            whitespace around them. Where the target is absolute, Host is what it says (RFC 9112 section
            3.2.2).
        http_version: "1.1" or "1.0".
        keep_alive: whether the client expects the connection to persist (RFC 9112 section 9.3).
        expect, upgrade: whether there is such a field.
        forwarded: whether there is one that a proxy tells of its client with.
        in_head: a head has begun to come, and is not complete.
        piece: of a body; body_size: bytes of it that have come so far.
    """

    def __init__(self, limits: Any) -> None:
        self._max_head = limits.head_size
        self._max_target = limits.target_size
        self._max_fields = limits.header_count
        self._max_body = min(limits.body_size, 1 << 58)
        self._max_extensions = limits.chunk_extension_size
        self._max_trailers = limits.trailer_size
        self._max_trailer_fields = limits.trailer_count
        self._fields_at = -1
        self._known: Any = None
        self._known_headers: Any = None
        self._known_length = 0
        self._known_forwarded = False
        self.method = ""
        self.target = b""
        self.headers: Any = []
        self.http_version = _RECENT
        self.keep_alive = True
        self.expect = False
        self.upgrade = False
        self.forwarded = False
        self.in_head = False
        self.piece = b""
        self._state = _REQUEST_LINE
        self._data = b""
        self._at = 0
        self._partial: Any = None
        self._size = 0
        self._blank = False
        self._hosts = 0
        self._host: Any = None
        self._valid_host: Any = None
        self._left = 0
        self.body_size = 0
        self._extensions = 0
        self._fields = 0
        self._chunked = False
        self._types = 0
        self._close = False
        self._persist = False
        self._length: Any = None

    @cython.ccall
    def feed(self, data: bytes) -> Any:
        """Add what was received.

        Arguments:
            data: bytes, not a part of something larger.
        """
        partial = self._partial
        if partial is not None:
            partial += data
            if 10 in data:
                self._partial = None
                self._data = bytes(partial)
                self._at = 0
        elif self._at < len(self._data):
            self._data = self._data[self._at :] + data
            self._at = 0
        else:
            self._data = data
            self._at = 0

    def has_rest(self) -> bool:
        """Whether there are bytes that no event has told of, and that `next_event` can read."""
        return self._at < len(self._data)

    def take_rest(self) -> bytes:
        """What no event has told of: another protocol's from here on."""
        rest = self._data[self._at :] if self._partial is None else bytes(self._partial)
        self._data = b""
        self._at = 0
        self._partial = None
        return rest

    @cython.ccall
    @cython.exceptval(-1)
    def next_event(self) -> cython.int:
        """Read on: MORE, HEAD, BODY or END.

        Raises:
            Refusal: 400, the grammar; 413, 414 or 431, a bound of `Limits`.
        """
        state: cython.int = self._state
        if state <= _FIELDS:
            return self._read_head()
        if state == _COMPLETE:
            return self._end_message()
        if state == _LENGTH:
            return self._read_body(_COMPLETE)
        while True:
            state = self._state
            if state == _CHUNK_DATA:
                return self._read_body(_CHUNK_END)
            if state == _CHUNK_END:
                if not self._read_chunk_end():
                    return _MORE
            elif state == _CHUNK_SIZE:
                if not self._read_chunk_size():
                    return _MORE
            elif not self._read_trailers():
                return _MORE
            else:
                return self._end_message()

    @cython.cfunc
    @cython.exceptval(-1)
    def _end_message(self) -> cython.int:
        self._state = _REQUEST_LINE
        # The stream has them; an idle connection is to keep none of them alive.
        self.headers = None
        self.target = b""
        self.piece = b""
        if self._at == len(self._data):
            self._data = b""
            self._at = 0
        return _END

    @cython.cfunc
    @cython.exceptval(-1)
    def _keep(self, bound: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Keep a line whose end has not come; how long it is, or -1 where it is longer than a bound."""
        partial = self._partial
        if partial is None:
            partial = bytearray(self._data[self._at :])
            self._data = b""
            self._at = 0
            if partial:
                self._partial = partial
        size: cython.Py_ssize_t = len(partial)
        return -1 if size > bound else size

    # The head.

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _read_head(self) -> cython.int:
        if self._partial is not None:
            return self._head_is_partial()
        data: bytes = self._data
        end: cython.Py_ssize_t = len(data)
        at: cython.Py_ssize_t = self._at
        stop: cython.Py_ssize_t
        while True:
            stop = _find_lf(data, at, end)
            if stop < 0:
                if at == end:
                    self._data = b""  # not to keep it while nothing comes
                    self._at = 0
                    self._fields_at = -1
                    return _MORE
                self._at = at
                return self._head_is_partial()
            self._size += stop + 1 - at
            if self._size > self._max_head:
                raise Refusal(
                    414 if self._state == _REQUEST_LINE else 431,
                    f"the request's head is larger than {self._max_head} bytes",
                )
            if stop == at or data[stop - 1] != 13:
                raise Refusal(400, "a line ends with CRLF, not with LF alone")
            if self._state == _FIELDS:
                if stop - 1 == at:
                    self._at = stop + 1
                    self._end_head()
                    self._remember(data, stop + 1)
                    return _HEAD
                self._read_field(data, at, stop - 1)
            elif stop - 1 == at:
                # RFC 9112 section 2.2: one empty line is overlooked; some clients end a body with it.
                if self._blank:
                    raise Refusal(400, "there is more than one empty line before a request")
                self._blank = True
            else:
                self._read_request_line(data, at, stop - 1)
                self._state = _FIELDS
                self.in_head = True
                known: bytes = self._known
                if known is not None and self._fields_are_known(data, stop + 1, end, known):
                    return _HEAD
                self._fields_at = stop + 1
            at = stop + 1

    @cython.cfunc
    @cython.exceptval(-1)
    def _fields_are_known(
        self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t, known: bytes
    ) -> cython.bint:
        """Whether the last request's fields, byte by byte, come again: then what they say is known, too.

        A client says mostly the same of itself with each request. PERF: a browser's head of 12 fields is read
        in 0.18 µs where it took 1.8, in plain Python in 1.9 where it took 17.
        """
        size: cython.Py_ssize_t = len(known)
        if (
            end - at < size
            or not _is_at(data, at, known, size)
            or self._size + size > self._max_head
            or self.target[0] != 47  # "/": another form may change the fields
            or self.http_version is not _RECENT
        ):
            return False
        self.headers = self._known_headers[:]
        self.forwarded = self._known_forwarded
        self.keep_alive = True
        self._left = self._known_length
        self.body_size = 0
        self._state = _LENGTH if self._left else _COMPLETE
        self._size = 0
        self._blank = False
        self.in_head = False
        self._at = at + size
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _remember(self, data: bytes, stop: cython.Py_ssize_t) -> cython.bint:
        """Keep the fields of a head that has been read, if it came in one piece and is like most."""
        at: cython.Py_ssize_t = self._fields_at
        self._fields_at = -1
        if (
            at < 0
            or stop - at > _MOST_KNOWN
            or not self.keep_alive
            or self._chunked
            or self.expect
            or self.upgrade
            or self.http_version is not _RECENT
            or self.target[0] != 47
        ):
            return False
        self._known = _part(data, at, stop)
        self._known_headers = self.headers[:]
        self._known_length = self._left
        self._known_forwarded = self.forwarded
        return True

    def forget(self) -> None:
        """Keep no more than a parser must whose client is silent."""
        self._known = None
        self._known_headers = None
        self._valid_host = None

    @cython.cfunc
    @cython.exceptval(-1)
    def _head_is_partial(self) -> cython.int:
        self._fields_at = -1
        size: cython.Py_ssize_t = self._keep(self._max_head - self._size)
        if self._state == _REQUEST_LINE:
            partial = self._partial
            first: cython.int = partial[0]
            if first == 13:
                if len(partial) > 1:
                    raise Refusal(400, "a CR is followed by LF")
            elif not _IS_TOKEN[first]:
                raise Refusal(400, "a request begins with a method")
            else:
                self.in_head = True
            if size < 0 or size > self._max_target + _METHOD_AND_VERSION:
                raise Refusal(414, f"the request target is longer than {self._max_target} bytes")
            if size > 9:
                ending = partial[size - 9 :]
                if ending[:6] == b" HTTP/" and ending[7:8] == b"." and ending[6:] not in _VERSIONS:
                    raise Refusal(400, _OTHER_VERSION)
        elif self._partial is not None:
            partial = self._partial
            if partial[0] == 32 or partial[0] == 9:
                raise Refusal(400, _FOLDED)
        if size < 0:
            raise Refusal(431, f"the request's head is larger than {self._max_head} bytes")
        return _MORE

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _read_request_line(
        self, data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t
    ) -> cython.bint:
        space: cython.Py_ssize_t = _token_end(data, start, stop)
        if space == start or space >= stop or data[space] != 32:
            raise Refusal(400, "a request line begins with a method and one space")
        method: str
        if space - start == 3 and _is_at(data, start, b"GET", 3):
            method = "GET"
        else:
            name: bytes = _part(data, start, space)
            method = _METHODS.get(name)
            if method is None:
                method = _other_method(name)
        start = space + 1
        space = _target_end(data, start, stop)
        if space - start > self._max_target:
            raise Refusal(414, f"the request target is longer than {self._max_target} bytes")
        # HTTP-version = %s"HTTP" "/" DIGIT "." DIGIT
        if space == start or stop - space != 9 or not _is_at(data, space, b" HTTP/1.", 8):
            raise Refusal(400, _what_is_wrong(data[start:stop]))
        minor: cython.int = data[stop - 1]
        if minor == 49:
            self.http_version = _RECENT
        elif minor == 48:
            self.http_version = "1.0"
        else:
            raise Refusal(400, _OTHER_VERSION)
        self.method = method
        self.target = _part(data, start, space)
        self.headers = []
        self._hosts = 0
        self._host = None
        self._length = None
        self._chunked = False
        self._types = 0
        self.expect = False
        self.upgrade = False
        self.forwarded = False
        self._close = False
        self._persist = False
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _read_field(self, data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.bint:
        colon: cython.Py_ssize_t = _token_end(data, start, stop)
        if colon == start or colon >= stop or data[colon] != 58:
            if data[start] == 32 or data[start] == 9:
                raise Refusal(400, _FOLDED)
            raise Refusal(400, "a field is a token, a colon and a value, in one line")
        size: cython.Py_ssize_t = colon - start
        name: bytes = _part(data, start, colon).lower()
        start = colon + 1
        if _text_end(data, start, stop) != stop:
            raise Refusal(400, "a field's value has a control character in it")
        while start < stop and (data[start] == 32 or data[start] == 9):
            start += 1
        while start < stop and (data[stop - 1] == 32 or data[stop - 1] == 9):
            stop -= 1
        value: bytes = _part(data, start, stop)
        headers: list = self.headers
        if len(headers) >= self._max_fields:
            raise Refusal(431, f"there are more than {self._max_fields} header fields")
        if size == 4:
            if name == b"host":
                self._hosts += 1
                if self._hosts > 1:
                    raise Refusal(400, "a request has one Host field")
                self._host = value
        elif size == 6:
            if name == b"expect":
                self.expect = True
        elif size == 7:
            if name == b"upgrade":
                self.upgrade = True
        elif size == 9:
            if name == b"forwarded":
                self.forwarded = True
        elif size == 10:
            if name == b"connection":
                self._read_connection(value)
        elif size == 12:
            if name == b"content-type":
                self._types += 1
                if self._types > 1:
                    raise Refusal(400, "there are two Content-Type fields")
        elif size == 14:
            if name == b"content-length":
                # RFC 9112 section 6.3, rule 5; equal values could be taken for one, but who sends them?
                if self._length is not None:
                    raise Refusal(400, "there are two Content-Length fields")
                # Content-Length = 1*DIGIT (RFC 9110 section 8.6); isdigit() of bytes is that of ASCII.
                if len(value) == 0 or len(value) > 19 or not value.isdigit():
                    raise Refusal(400, "Content-Length is one number")
                if self._chunked:
                    raise Refusal(400, _TWO_FRAMINGS)
                self._length = value
        elif size == 15:
            if name == b"x-forwarded-for":
                self.forwarded = True
        elif size == 17:
            if name == b"x-forwarded-proto":
                self.forwarded = True
            elif name == b"transfer-encoding":
                if self._chunked or value.lower() != b"chunked":
                    raise Refusal(400, "the only transfer coding is chunked")
                if self._length is not None:
                    raise Refusal(400, _TWO_FRAMINGS)
                self._chunked = True
        headers.append((name, value))
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _read_connection(self, value: bytes) -> cython.bint:
        """RFC 9110 section 7.6.1."""
        if value == b"keep-alive":
            self._persist = True
            return True
        for option in value.lower().split(b","):
            option = option.strip(b" \t")
            if option == b"close":
                self._close = True
            elif option == b"keep-alive":
                self._persist = True
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _end_head(self) -> cython.bint:
        target: bytes = self.target
        recent: cython.bint = self.http_version is _RECENT
        if self._hosts == 0:
            if recent:
                raise Refusal(400, "a request has one Host field")
        elif self._host != self._valid_host:
            if not _is_host(self._host):
                raise Refusal(400, "the Host field is no host")
            self._valid_host = self._host
        if target[0] != 47:  # "/"
            self._check_target()
        self.keep_alive = not self._close and (recent or self._persist)
        # RFC 9112 section 6.3: the body's length.
        length: bytes = self._length
        self._left = 0
        self.body_size = 0
        if self._chunked:
            if not recent:
                raise Refusal(400, "HTTP/1.0 has no Transfer-Encoding")
            self._state = _CHUNK_SIZE
            self._extensions = 0
        elif length is not None:
            self._read_length(length)
            self._state = _LENGTH if self._left else _COMPLETE
        else:
            self._state = _COMPLETE
        self._size = 0
        self._blank = False
        self.in_head = False
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _read_length(self, value: bytes) -> cython.bint:
        """The bytes of a body, in at most 19 digits."""
        length = int(value)
        if length > self._max_body:
            raise Refusal(413, f"the body is larger than {self._max_body} bytes")
        self._left = length
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _check_target(self) -> cython.bint:
        """The forms of a target that are not origin-form: RFC 9112 section 3.2."""
        target: bytes = self.target
        absolute = _match_absolute(target)
        if absolute is not None:
            host = absolute[1]
            if not host or not _is_host(host):
                raise Refusal(400, "the request target's host is none")
            # Section 3.2.2: the Host field is ignored.
            self.headers = [(b"host", host), *(field for field in self.headers if field[0] != b"host")]
        elif target != b"*" or self.method != "OPTIONS":
            raise Refusal(400, "the request target has none of the forms of RFC 9112 section 3.2")
        return True

    # The body.

    @cython.cfunc
    @cython.exceptval(-1)
    def _read_body(self, then: cython.int) -> cython.int:
        """Content of which so many bytes are left; then comes what."""
        data: bytes = self._data
        at: cython.Py_ssize_t = self._at
        size: cython.Py_ssize_t = len(data) - at
        if size == 0:
            return _MORE
        if size >= self._left:
            size = self._left
            self._state = then
        self._left -= size
        self.body_size += size
        if at == 0 and size == len(data):
            self.piece = data
            self._data = b""
        else:
            self.piece = _part(data, at, at + size)
            self._at = at + size
        return _BODY

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _read_chunk_end(self) -> cython.bint:
        data: bytes = self._data
        at: cython.Py_ssize_t = self._at
        size: cython.Py_ssize_t = len(data) - at
        if size == 0:
            return False
        if data[at] != 13 or (size > 1 and data[at + 1] != 10):
            raise Refusal(400, "a chunk ends with CRLF")
        if size == 1:
            return False
        self._at = at + 2
        self._state = _CHUNK_SIZE
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _read_chunk_size(self) -> cython.bint:
        """chunk-size = 1*HEXDIG; the whole line, with the extensions, which nobody here knows."""
        data: bytes = self._data
        at: cython.Py_ssize_t = self._at
        stop: cython.Py_ssize_t = _find_lf(data, at, len(data)) if self._partial is None else -1
        room: cython.Py_ssize_t = self._max_extensions + self.body_size // _BODY_A_BYTE - self._extensions
        if room > self._max_extensions:
            room = self._max_extensions  # of one chunk: the line is read at once, and kept whole until then
        if stop < 0:
            if self._keep(room + _CHUNK_LINE) < 0:
                raise Refusal(431, "the chunk extensions of a body are too large")
            return False
        if stop == at or data[stop - 1] != 13:
            raise Refusal(400, "a line ends with CRLF, not with LF alone")
        stop -= 1
        start: cython.Py_ssize_t = at
        size: cython.longlong = 0
        digit: cython.int
        while at < stop:
            digit = data[at]
            if 48 <= digit <= 57:
                digit -= 48
            elif 97 <= digit <= 102:
                digit -= 87
            elif 65 <= digit <= 70:
                digit -= 55
            else:
                break
            at += 1
            if at - start > _MOST_DIGITS:
                raise Refusal(400, f"a chunk's size has more than {_MOST_DIGITS} digits")
            if size <= self._max_body:  # a larger one may not grow until it overflows
                size = size * 16 + digit
        if at == start:
            raise Refusal(400, "a chunk begins with its size, in hexadecimal digits")
        if at < stop:
            self._extensions += stop - at
            if stop - at > room:
                raise Refusal(431, "the chunk extensions of a body are too large")
            if _match_extensions(data, at, stop) is None:
                raise Refusal(400, "a chunk extension is none of RFC 9112 section 7.1.1")
        if size > self._max_body - self.body_size:
            raise Refusal(413, f"the body is larger than {self._max_body} bytes")
        self._at = stop + 2
        if size:
            self._left = size
            self._state = _CHUNK_DATA
        else:
            self._state = _TRAILERS
            self._size = 0
            self._fields = 0
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _read_trailers(self) -> cython.bint:
        """Trailer fields are checked and dropped: to merge them into the head, each would have to be known
        (RFC 9110 section 6.5.1)."""
        data: bytes = self._data
        at: cython.Py_ssize_t
        stop: cython.Py_ssize_t
        while True:
            at = self._at
            stop = _find_lf(data, at, len(data)) if self._partial is None else -1
            if stop < 0:
                # The CR of the empty line behind the section is none of its bytes.
                if self._keep(self._max_trailers - self._size + 1) < 0:
                    raise Refusal(431, f"the trailer fields are larger than {self._max_trailers} bytes")
                return False
            self._size += stop + 1 - at
            if stop == at or data[stop - 1] != 13:
                raise Refusal(400, "a line ends with CRLF, not with LF alone")
            self._at = stop + 1
            if stop - 1 == at:
                self._size = 0
                return True
            if self._size > self._max_trailers:
                raise Refusal(431, f"the trailer fields are larger than {self._max_trailers} bytes")
            self._fields += 1
            if self._fields > self._max_trailer_fields:
                raise Refusal(431, f"there are more than {self._max_trailer_fields} trailer fields")
            self._check_trailer(data, at, stop - 1)

    @cython.cfunc
    @cython.exceptval(-1)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _check_trailer(self, data: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.bint:
        colon: cython.Py_ssize_t = _token_end(data, start, stop)
        if colon == start or colon >= stop or data[colon] != 58:
            raise Refusal(400, "a field is a token, a colon and a value, in one line")
        if _text_end(data, colon + 1, stop) != stop:
            raise Refusal(400, "a field's value has a control character in it")
        if data[start:colon].lower() in _NOT_IN_TRAILERS:
            raise Refusal(400, "a trailer section has a field that may only be in a head")
        return True


def _is_host(value: bytes) -> bool:
    """Whether it is uri-host [ ":" port ]."""
    found = _match_host(value)
    if found is not None and found[1] is not None:
        try:
            socket.inet_pton(socket.AF_INET6, found[1].decode("ascii"))
        except OSError:
            return False
    return found is not None


def _other_method(name: bytes) -> str:
    """A method that is not one of the usual. The app may know it, or answers 405.

    Names are case-sensitive (RFC 9110 section 9.1) and by convention in upper case: `get` is refused, since
    somebody before us might have taken it for GET.
    """
    method = name.decode("ascii")
    if method == "CONNECT":
        raise Refusal(400, "CONNECT is for proxies")
    if method != method.upper():
        raise Refusal(400, "the names of methods are in upper case")
    return method


def _what_is_wrong(rest: bytes) -> str:
    """With a request line, behind its method."""
    if rest == b"* HTTP/2.0":
        return "HTTP/2 is not spoken on this connection"
    target, _, version = rest.rpartition(b" ")
    if not target or not version.startswith(b"HTTP/"):
        return "a request line ends with HTTP/1.1 or HTTP/1.0"
    if _match_target(target).end() == len(target):
        return _OTHER_VERSION
    return "the request target has none of the forms of RFC 9112 section 3.2"
