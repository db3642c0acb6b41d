"""WebSocket frames (RFC 6455 section 5): bytes in, messages and other events out, and the other way round.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-------+-+-------------+-------------------------------+
    |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
    |I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
    |N|V|V|V|       |S|             |   (if payload len==126/127)   |
    | |1|2|3|       |K|             |                               |
    +-+-+-+-+-------+-+-------------+-------------------------------+
    |          Masking-key, 4 bytes, then the payload               |
    +---------------------------------------------------------------+

`FrameParser` is handed bytes as they come and is asked for one event after the other, so that who asks can
stop at any time and nothing is read ahead:

    str, bytes   a message, whole
    Event        PING, PONG, CLOSE; FAILURE: what came breaks the protocol, and is the last

A payload that comes in pieces is unmasked, inflated and checked piece by piece: an error is found at the byte
that makes it one, and a size limit before the bytes beyond it are kept.
"""

import codecs
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.libc.string import memcpy

__all__ = [
    "CLOSE",
    "FAILURE",
    "PING",
    "PONG",
    "Event",
    "FrameParser",
    "close_payload",
    "frame",
    "is_close_code",
    "mask",
]

#: Kinds of events: the opcodes (RFC 6455 section 5.2), and one that is none.
CLOSE = 8
PING = 9
PONG = 10
FAILURE = 16

_CONTINUATION = cython.declare(cython.int, 0)
_TEXT = cython.declare(cython.int, 1)
_BINARY = cython.declare(cython.int, 2)
_CLOSE = cython.declare(cython.int, 8)
_PING = cython.declare(cython.int, 9)
_PONG = cython.declare(cython.int, 10)

# Close codes (RFC 6455 section 7.4.1).
_PROTOCOL_ERROR = 1002
_INVALID_DATA = 1007
_TOO_BIG = 1009

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


def is_close_code(code: int) -> bool:
    """Whether a Close frame may carry this code: RFC 6455 section 7.4, and IANA's registry of them."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


@cython.cclass
class Event:
    """What came beside messages.

    Attributes:
        kind: PING, PONG, CLOSE or FAILURE.
        data: what a ping or a pong carries.
        code: of a CLOSE, 1005 where it carries none; of a FAILURE, what to close with.
        reason: the words of a CLOSE; of a FAILURE, what is wrong.
    """

    def __init__(self, kind: cython.int, data: bytes = b"", code: cython.int = 0, reason: str = "") -> None:
        self.kind = kind
        self.data = data
        self.code = code
        self.reason = reason

    def __repr__(self) -> str:
        return f"Event({self.kind}, {self.data!r}, {self.code}, {self.reason!r})"


# Masking: RFC 6455 section 5.3.


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _xor(to: cython.p_char, text: cython.p_char, size: cython.Py_ssize_t, key: cython.uint) -> cython.bint:
    """Xor with a key of four bytes, eight at a time; memcpy is how C reads a word that is not aligned."""
    if cython.compiled:
        i: cython.Py_ssize_t = 0
        word: cython.ulonglong = 0
        pair: cython.ulonglong = key
        rest: cython.p_char = cython.cast(cython.p_char, cython.address(pair))
        pair = (pair << 32) | pair
        while i + 8 <= size:
            memcpy(cython.address(word), text + i, 8)
            word ^= pair
            memcpy(to + i, cython.address(word), 8)
            i += 8
        while i < size:
            to[i] = text[i] ^ rest[i & 3]
            i += 1
    return True


@cython.cfunc
@cython.inline
def _masked(data: bytes, at: cython.Py_ssize_t, size: cython.Py_ssize_t, key: bytes) -> bytes:
    """Some bytes of data, xored with a key of four bytes that are as they stand in the frame."""
    if size <= 0:
        return b""
    if cython.compiled:
        word: cython.uint = 0
        memcpy(cython.address(word), PyBytes_AS_STRING(key), 4)
        made: cython.p_void = capi.new_bytes(cython.NULL, size)
        _xor(capi.bytes_text(made), PyBytes_AS_STRING(data) + at, size, word)
        unmasked: bytes = capi.taken(made)
        return unmasked
    # Of long numbers, Python's own is the fastest xor that it has; it is linear.
    whole = int.from_bytes(data[at : at + size], "little")
    return (whole ^ int.from_bytes((key * (size // 4 + 1))[:size], "little")).to_bytes(size, "little")


def mask(data: bytes, key: bytes) -> bytes:
    """Mask, or unmask, a payload.

    Arguments:
        data: the payload.
        key: four bytes.

    Raises:
        ValueError: the key has not four bytes.
    """
    if len(key) != 4:
        raise ValueError(f"a masking key has 4 bytes, not {len(key)}")
    return _masked(data, 0, len(data), key)


# Frames that a server sends: they are not masked.


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _write_head(to: cython.p_char, first: cython.int, size: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Write a frame's head, and tell its size."""
    i: cython.int
    to[0] = first
    if size < 126:
        to[1] = size
        return 2
    if size < 65536:
        to[1] = 126
        to[2] = (size >> 8) & 255
        to[3] = size & 255
        return 4
    to[1] = 127
    for i in range(8):
        to[2 + i] = (size >> (56 - 8 * i)) & 255
    return 10


@cython.cfunc
def framed(first: cython.int, data: Any) -> bytes:
    """A frame of str or bytes."""
    size: cython.Py_ssize_t = 0
    if cython.compiled:
        text: cython.p_char
        if isinstance(data, str):
            text = capi.utf8_text(data, cython.address(size))
        else:
            text = PyBytes_AS_STRING(data)
            size = len(cython.cast(bytes, data))
        head: cython.Py_ssize_t = 2 if size < 126 else 4 if size < 65536 else 10
        made: cython.p_void = capi.new_bytes(cython.NULL, head + size)
        to: cython.p_char = capi.bytes_text(made)
        _write_head(to, first, size)
        memcpy(to + head, text, size)
        made_frame: bytes = capi.taken(made)
        return made_frame
    payload: bytes = data.encode() if isinstance(data, str) else data
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def frame(first: int, data: Any) -> bytes:
    """A frame as a server sends it.

    Arguments:
        first: its first byte: FIN, the reserved bits and the opcode.
        data: the payload, str or bytes.
    """
    if type(data) is not bytes and type(data) is not str:
        raise TypeError(f"a frame's payload is str or bytes, not {type(data).__name__}")
    return framed(first, data)


def close_payload(code: int, reason: str) -> bytes:
    """What a Close frame carries (RFC 6455 section 5.5.1); nothing for 1005.

    Raises:
        ValueError: no endpoint may send such a code, or the reason has more than 123 bytes.
    """
    if code == 1005 and not reason:
        return b""
    if not is_close_code(code):
        raise ValueError(f"{code} is no close code that may be sent (RFC 6455 section 7.4)")
    words = reason.encode()
    if len(words) > 123:
        raise ValueError(f"a close reason has at most 123 bytes, not {len(words)}")
    return code.to_bytes(2, "big") + words


@cython.cclass
class FrameParser:
    """Makes events of the bytes that a client sends.

    Arguments:
        max_size: bytes of a message; a larger one is a FAILURE with the code 1009.
        inflate: what takes the payloads of compressed messages (`fastweb.server.deflate.Inflate`); None where
            no compression was agreed upon.
    """

    def __init__(self, max_size: cython.longlong, inflate: Any = None) -> None:
        self._data = b""
        self._at = 0
        self._max = max_size
        self._inflate = inflate
        self._in_frame = False
        self._left = 0
        self._fin = False
        self._key = b""
        self._opcode = 0
        self._compressed = False
        self._message: Any = None
        self._size = 0
        self._utf8: Any = None
        self._over = False

    @cython.ccall
    def feed(self, data: bytes) -> Any:
        """Take bytes. Those that are no event yet are at most a frame's head, or a control frame: so to put
        them together costs nothing."""
        if self._at >= len(self._data):
            self._data = data
        else:
            self._data = self._data[self._at :] + data
        self._at = 0

    @property
    def over(self) -> bool:
        """There will be no more events: a CLOSE or a FAILURE was the last."""
        return self._over

    def stop(self) -> None:
        """Make no more events."""
        self._over = True
        self._data = b""
        self._at = 0
        self._message = None
        self._inflate = None

    @cython.ccall
    def next_event(self) -> Any:
        """The next event; None until more comes."""
        data: bytes = self._data
        size: cython.Py_ssize_t = len(data)
        at: cython.Py_ssize_t
        head: cython.Py_ssize_t
        first: cython.int
        second: cython.int
        opcode: cython.int
        length: cython.longlong
        i: cython.Py_ssize_t
        while not self._over:
            if self._in_frame:
                failure = self._read_payload(data, size)
                if failure is not None:
                    return failure
                if self._left > 0:
                    break
                self._in_frame = False
                if self._fin:
                    return self._end_message()
            at = self._at
            if size - at < 2:
                break
            first = data[at]
            second = data[at + 1]
            opcode = first & 0x0F
            if first & 0x70 and not (
                first & 0x70 == 0x40 and self._inflate is not None and (opcode == _TEXT or opcode == _BINARY)
            ):
                return self._fail(_PROTOCOL_ERROR, "a reserved bit is set")
            if opcode > _BINARY:
                if opcode < _CLOSE or opcode > _PONG:
                    return self._fail(_PROTOCOL_ERROR, "the opcode is reserved")
                if not first & 0x80:
                    return self._fail(_PROTOCOL_ERROR, "a control frame is not fragmented")
                if second & 0x7F > 125:
                    return self._fail(_PROTOCOL_ERROR, "a control frame has at most 125 bytes")
            elif opcode == _CONTINUATION:
                if self._opcode == 0:
                    return self._fail(_PROTOCOL_ERROR, "there is nothing to continue")
            elif self._opcode != 0:
                return self._fail(_PROTOCOL_ERROR, "the message before has not ended")
            if not second & 0x80:
                return self._fail(_PROTOCOL_ERROR, "a frame of a client is masked")
            length = second & 0x7F
            head = 6
            if length == 126:
                head = 8
            elif length == 127:
                head = 14
            if size - at < head:
                break
            if length > 125:
                length = 0
                if head == 14 and data[at + 2] & 0x80:
                    return self._fail(_PROTOCOL_ERROR, "a length has 63 bits")
                for i in range(at + 2, at + head - 4):
                    length = (length << 8) | data[i]
                if length < (126 if head == 8 else 65536):
                    return self._fail(_PROTOCOL_ERROR, "a length is not written in the shortest way")
            at += head
            if opcode > _BINARY:
                if size - at < length:
                    break
                payload = _masked(data, at, length, data[at - 4 : at])
                self._at = at + length
                return self._control(opcode, payload)
            # What inflates is counted when it is inflated.
            if not (self._compressed if opcode == _CONTINUATION else first & 0x40):
                if self._size + length > self._max:
                    return self._too_big()
                if first & 0x80 and opcode != _CONTINUATION and size - at >= length:
                    payload = _masked(data, at, length, data[at - 4 : at])
                    self._at = at + length
                    if self._at == size:
                        self._data = b""
                        self._at = 0
                    if opcode == _BINARY:
                        return payload
                    try:
                        return payload.decode("utf-8")
                    except UnicodeDecodeError:
                        return self._fail(_INVALID_DATA, "a text is not UTF-8")
            if opcode != _CONTINUATION:
                self._opcode = opcode
                self._compressed = first & 0x40 != 0
                self._message = bytearray()
                self._size = 0
                self._utf8 = _Utf8Decoder() if opcode == _TEXT else None
            self._in_frame = True
            self._fin = first & 0x80 != 0
            self._left = length
            self._key = data[at - 4 : at]
            self._at = at
        if self._at >= size:
            self._data = b""
            self._at = 0
        return None

    @cython.cfunc
    def _read_payload(self, data: bytes, size: cython.Py_ssize_t) -> Any:
        """Take what there is of a data frame's payload; a failure, or None."""
        count: cython.Py_ssize_t = size - self._at
        if count > self._left:
            count = cython.cast(cython.Py_ssize_t, self._left)
        if count <= 0:
            return None
        piece: bytes = _masked(data, self._at, count, self._key)
        self._at += count
        self._left -= count
        turn: cython.Py_ssize_t = count & 3
        if turn:
            self._key = self._key[turn:] + self._key[:turn]
        if self._compressed:
            return self._inflated(piece, False)
        return self._take(piece)

    @cython.cfunc
    def _inflated(self, piece: bytes, end: cython.bint) -> Any:
        """Take a piece of a compressed message, or its end; a failure, or None. What it inflates to is never
        more than a byte beyond the limit."""
        try:
            if end:
                piece = self._inflate.end(self._max - self._size + 1)
            else:
                piece = self._inflate.feed(piece, self._max - self._size + 1)
        except ValueError as error:
            return self._fail(_INVALID_DATA, str(error))
        return self._take(piece)

    @cython.cfunc
    def _take(self, piece: bytes) -> Any:
        """Add to the message; a failure, or None."""
        self._size += len(piece)
        if self._size > self._max:
            return self._too_big()
        if self._utf8 is not None:
            try:
                self._utf8.decode(piece)
            except UnicodeDecodeError:
                return self._fail(_INVALID_DATA, "a text is not UTF-8")
        self._message += piece
        return None

    @cython.cfunc
    def _end_message(self) -> Any:
        if self._compressed:
            failure = self._inflated(b"", True)
            if failure is not None:
                return failure
        message = self._message
        text: cython.bint = self._opcode == _TEXT
        self._message = None
        self._utf8 = None
        self._opcode = 0
        self._size = 0
        self._compressed = False
        if text:
            try:
                return message.decode("utf-8")
            except UnicodeDecodeError:
                return self._fail(_INVALID_DATA, "a text is not UTF-8")
        return bytes(message)

    @cython.cfunc
    def _control(self, opcode: cython.int, payload: bytes) -> Any:
        if opcode != _CLOSE:
            return Event(opcode, payload)
        if len(payload) == 1:
            return self._fail(_PROTOCOL_ERROR, "a close code has two bytes")
        code: cython.int = 1005
        reason = ""
        if payload:
            code = (payload[0] << 8) | payload[1]
            if not is_close_code(code):
                return self._fail(_PROTOCOL_ERROR, "no such close code may be sent")
            try:
                reason = payload[2:].decode("utf-8")
            except UnicodeDecodeError:
                return self._fail(_INVALID_DATA, "a close reason is not UTF-8")
        self.stop()
        return Event(_CLOSE, b"", code, reason)

    @cython.cfunc
    def _too_big(self) -> Any:
        return self._fail(_TOO_BIG, f"a message has more than {self._max} bytes")

    @cython.cfunc
    def _fail(self, code: cython.int, reason: str) -> Any:
        self.stop()
        return Event(FAILURE, b"", code, reason)
