"""Requests that two readers might cut differently, by section of the RFC: each is refused, or read in the one
way that the RFC gives, and what is pipelined behind a refused one reaches nobody.

Each is sent with `GET /smuggled` behind it, to a bare app and through the whole of fastweb; whole, in two
pieces, and byte by byte. test_hostile.py has what else a client may do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fastweb import FastWeb, HTTPException, Request
from fastweb._speedups.http1_parser import BODY, END, HEAD, MORE, Refusal, RequestParser
from fastweb._speedups.response import Head
from fastweb.limits import Limits
from fastweb.responses import PlainTextResponse

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]

HOST = b"Host: a\r\n"
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKED = POST + TE + b"\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
END_OF_HEAD = HOST + b"\r\n"

#: (section of RFC 9112, or of RFC 9110 where it says so; the request)
REFUSED: list[tuple[str, bytes]] = [
    # Lines end with CRLF; a CR is followed by LF.
    ("2.2", b"GET / HTTP/1.1\n" + END_OF_HEAD),
    ("2.2", b"GET / HTTP/1.1\r" + END_OF_HEAD),
    ("2.2", b"GET / HTTP/1.1\r\r\n" + END_OF_HEAD),
    ("2.2", b"GET / HTTP/1.1\n\r\n" + END_OF_HEAD),
    ("2.2", GET + b"Host: a\n\r\n"),
    ("2.2", GET + b"Host: a\r\r\n\r\n"),
    ("2.2", GET + b"Host: a\r\n\n"),
    ("2.2", GET + b"Host: a\r\n\r\r\n"),
    ("2.2", GET + HOST + b"A: b\rC: d\r\n\r\n"),
    ("2.2", GET + HOST + b"A: b\nC: d\r\n\r\n"),
    ("2.2", GET + HOST + b"A: b\r\n\rC: d\r\n\r\n"),
    ("2.2", GET + HOST + b"A: b\n\nGET /smuggled HTTP/1.1\nHost: a\n\n"),
    # One empty line may come before a request, and no whitespace before a field.
    ("2.2", b"\r\n\r\n" + GET + END_OF_HEAD),
    ("2.2", b"\n" + GET + END_OF_HEAD),
    ("2.2", b"\r" + GET + END_OF_HEAD),
    ("2.2", b" " + GET + END_OF_HEAD),
    ("2.2", b"\t" + GET + END_OF_HEAD),
    ("2.2", b"\0" + GET + END_OF_HEAD),
    ("2.2", b"\xef\xbb\xbf" + GET + END_OF_HEAD),
    ("2.2", GET + b" " + END_OF_HEAD),
    ("2.2", GET + b"\t\r\n" + END_OF_HEAD),
    # HTTP-version
    ("2.3", b"GET / HTTP/0.9\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1.2\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1.9\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/2.0\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/3\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1.10\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1.01\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/01.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/11.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1,1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1.\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/-1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/+1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/x.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1.x\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP/1.1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / http/1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / Http/1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP 1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTP\r\n" + END_OF_HEAD),
    ("2.3", b"GET / HTTPS/1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / RTSP/1.1\r\n" + END_OF_HEAD),
    ("2.3", b"GET / RTSP/1.0\r\n" + END_OF_HEAD),
    ("2.3", b"POST / RTSP/1.1\r\n" + END_OF_HEAD),
    ("2.3", b"OPTIONS * RTSP/1.0\r\n" + END_OF_HEAD),
    ("2.3", b"SETUP / RTSP/1.0\r\n" + END_OF_HEAD),
    ("2.3", b"GET / ICE/1.0\r\n" + END_OF_HEAD),
    ("2.3", b"SOURCE / ICE/1.0\r\n" + END_OF_HEAD),
    ("2.3", b"GET / SIP/2.0\r\n" + END_OF_HEAD),
    ("2.3", b"GET /\r\n" + END_OF_HEAD),
    ("2.3", b"GET /\r\n\r\n"),
    ("RFC 9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    # The request line: single spaces, and nothing around them.
    ("3", b"GET  / HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET /  HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET\t/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET /\tHTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET / HTTP/1.1 \r\n" + END_OF_HEAD),
    ("3", b"GET / HTTP/1.1\t\r\n" + END_OF_HEAD),
    ("3", b"GET / x HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET\x0b/\x0bHTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET\xa0/\xa0HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET /HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"GET\r\n" + END_OF_HEAD),
    ("3", b"/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3", b"Host: a\r\n\r\n"),
    # method = token
    ("3.1", b"GE(T / HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.1", b"GET\0 / HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.1", b"G\xcb\x88T / HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.1", b'"GET" / HTTP/1.1\r\n' + END_OF_HEAD),
    ("3.1", b"GET: / HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.1", b"get / HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.1", b"Post / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"),
    # request-target
    ("3.2", b"GET relative HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET @evil HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET ?q HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET a:80 HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET \\ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET % HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /#fragment HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /?q#fragment HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET # HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /\0 HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /\x01 HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /\x1b HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /\x7f HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /\xe9 HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /\xc3\xa9 HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /a\rb HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2", b"GET /a\nb HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET ftp://a/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET file:///etc/passwd HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET //a/ HTTP/1.1\r\n" + b"\r\n"),
    ("3.2.2", b"GET http:/a HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http:a HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http:// HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http:///x HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http://?x HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http://:80/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http://a:80a/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http://a\\@b/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http://a\r\n" + END_OF_HEAD),
    ("3.2.2", b"GET http://a/ HTTP/1.1\r\n\r\n"),
    ("RFC 9110 4.2.4", b"GET http://u:p@a/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.3", b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    ("3.2.3", b"CONNECT / HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.3", b"CONNECT http://a/ HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.4", b"GET * HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.4", b"POST * HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"),
    ("3.2.4", b"OPTIONS ** HTTP/1.1\r\n" + END_OF_HEAD),
    ("3.2.4", b"OPTIONS *?x HTTP/1.1\r\n" + END_OF_HEAD),
    # Host
    ("3.2", GET + b"\r\n"),
    ("3.2", GET + HOST + HOST + b"\r\n"),
    ("3.2", GET + HOST + b"Host: b\r\n\r\n"),
    ("3.2", GET + HOST + b"hOST: b\r\n\r\n"),
    ("3.2", b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n"),
    ("3.2", b"GET http://a/ HTTP/1.1\r\n" + HOST + HOST + b"\r\n"),
    ("3.2", GET + b"Host: a, b\r\n\r\n"),
    ("3.2", GET + b"Host: a b\r\n\r\n"),
    ("3.2", GET + b"Host: a/\r\n\r\n"),
    ("3.2", GET + b"Host: a?b\r\n\r\n"),
    ("3.2", GET + b"Host: a#b\r\n\r\n"),
    ("3.2", GET + b"Host: u@a\r\n\r\n"),
    ("3.2", GET + b"Host: http://a\r\n\r\n"),
    ("3.2", GET + b"Host: a\\b\r\n\r\n"),
    ("3.2", GET + b"Host: a:\xb2\r\n\r\n"),
    ("3.2", GET + b"Host: a:-1\r\n\r\n"),
    ("3.2", GET + b"Host: a:80:80\r\n\r\n"),
    ("3.2", GET + b"Host: a:123456\r\n\r\n"),
    ("3.2", GET + b"Host: :80\r\n\r\n"),
    ("3.2", GET + b"Host: \xc3\xa9\r\n\r\n"),
    ("3.2", GET + b"Host: a\x0b\r\n\r\n"),
    ("3.2", GET + b'Host: "a"\r\n\r\n'),
    ("3.2", GET + b"Host: <a>\r\n\r\n"),
    ("3.2", GET + b"Host: a%\r\n\r\n"),
    ("3.2", GET + b"Host: a%0\r\n\r\n"),
    ("3.2", GET + b"Host: a%gg\r\n\r\n"),
    ("3.2", GET + b"Host: ::1\r\n\r\n"),
    ("3.2", GET + b"Host: [::1\r\n\r\n"),
    ("3.2", GET + b"Host: ::1]\r\n\r\n"),
    ("3.2", GET + b"Host: []\r\n\r\n"),
    ("3.2", GET + b"Host: [a]\r\n\r\n"),
    ("3.2", GET + b"Host: [127.0.0.1]\r\n\r\n"),
    ("3.2", GET + b"Host: [::1::]\r\n\r\n"),
    ("3.2", GET + b"Host: [::1]a\r\n\r\n"),
    ("3.2", GET + b"Host: [::1%25eth0]\r\n\r\n"),
    ("3.2", GET + b"Host: [v1]\r\n\r\n"),
    # field-line
    ("5.1", GET + HOST + b"A : b\r\n\r\n"),
    ("5.1", GET + HOST + b"A\t: b\r\n\r\n"),
    ("5.1", POST + b"Content-Length : 5\r\n\r\nhello"),
    ("5.1", POST + b"Transfer-Encoding : chunked\r\n\r\n" + HELLO),
    ("5.1", GET + b"Host : a\r\n\r\n"),
    ("5", GET + HOST + b": b\r\n\r\n"),
    ("5", GET + HOST + b"A\r\n\r\n"),
    ("5", GET + HOST + b"A B: c\r\n\r\n"),
    ("5", GET + HOST + b"A=b\r\n\r\n"),
    ("5", GET + HOST + b"GET /smuggled HTTP/1.1\r\n\r\n"),
    *[
        ("5.1", GET + HOST + b"A" + bytes([c]) + b": b\r\n\r\n")
        for c in b'\0\x01\x0b\x0c\x1f"(),/;<=>?@[\\]{}\x7f\x80\xff'
    ],
    *[
        ("RFC 9110 5.5", GET + HOST + b"A: b" + bytes([c]) + b"c\r\n\r\n")
        for c in (*range(9), *range(11, 32), 127)
    ],
    *[("RFC 9110 5.5", GET + HOST + b"A: b" + bytes([c]) + b"\r\n\r\n") for c in (0, 8, 11, 12, 13, 127)],
    # obs-fold
    ("5.2", GET + HOST + b"A: b\r\n c\r\n\r\n"),
    ("5.2", GET + HOST + b"A: b\r\n\tc\r\n\r\n"),
    ("5.2", GET + HOST + b"A:\r\n b\r\n\r\n"),
    ("5.2", GET + HOST + b"A: b\r\n \r\n\r\n"),
    ("5.2", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + HELLO),
    ("5.2", POST + b"Content-Length:\r\n 5\r\n\r\nhello"),
    ("5.2", POST + b"X: y\r\n Content-Length: 5\r\n\r\nhello"),
    # Transfer-Encoding
    *[
        ("6.1", POST + b"Transfer-Encoding:" + value + b"\r\n\r\n" + HELLO)
        for value in (
            *(b"", b" ", b" identity", b" gzip", b" deflate, gzip", b" xchunked", b" chunkedx", b" chunk"),
            *(
                b" chunked, chunked",
                b" chunked,",
                b" ,chunked",
                b" , chunked",
                b" chunked;q=1",
                b" chunked ;a",
            ),
            *(b" gzip, chunked", b" identity, chunked", b" chunked, identity", b" chunked, gzip"),
            *(b' "chunked"', b" 'chunked'", b" chunked chunked", b" cow", b" \xefchunked", b" chunked\xa0"),
            *(
                b" \x0bchunked",
                b" \x0cchunked",
                b" chunked\x0b",
                b" \0chunked",
                b" chunked\0",
                b" ch\xc3\xbcnked",
            ),
        )
    ],
    ("6.1", POST + TE + TE + b"\r\n" + HELLO),
    ("6.1", POST + TE + b"Transfer-Encoding: identity\r\n\r\n" + HELLO),
    ("6.1", POST + b"Transfer-Encoding: identity\r\n" + TE + b"\r\n" + HELLO),
    ("6.1", POST + b"Transfer-Encoding:\r\n" + TE + b"\r\n" + HELLO),
    ("6.1", POST + TE + b"transfer-encoding: x\r\n\r\n" + HELLO),
    ("6.1", b"POST / HTTP/1.0\r\n" + HOST + TE + b"\r\n" + HELLO),
    ("6.1", b"POST / HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + TE + b"\r\n" + HELLO),
    ("6.1", b"GET / HTTP/1.0\r\n" + HOST + TE + b"\r\n" + HELLO),
    ("6.3", POST + TE + b"Content-Length: 5\r\n\r\n" + HELLO),
    ("6.3", POST + b"Content-Length: 5\r\n" + TE + b"\r\n" + HELLO),
    ("6.3", POST + b"Content-Length: 0\r\n" + TE + b"\r\n" + HELLO),
    ("6.3", POST + b"Content-Length: 15\r\n" + TE + b"\r\n" + HELLO),
    ("6.3", b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n" + TE + b"\r\n" + HELLO),
    # Content-Length
    *[
        ("6.2", POST + b"Content-Length:" + value + b"\r\n\r\nhello")
        for value in (
            *(b"", b" ", b" +5", b" -5", b" -0", b" 0x5", b" 5x", b" x5", b" 5.0", b" 5e0", b" 0b1", b" 0o5"),
            *(
                b" 5, 5",
                b" 5,5",
                b" 5,",
                b" ,5",
                b" 5, 6",
                b" 5 5",
                b" 5\t5",
                b" 5;a",
                b' "5"',
                b" 0_5",
                b" 5_0",
            ),
            *(b" \x0b5", b" 5\x0b", b" \x0c5", b" 5\0", b" \xb25", b" \xd9\xa5", b" five", b" Infinity"),
            *(b" 99999999999999999999", b" 18446744073709551621", b" " + b"0" * 40 + b"5"),
        )
    ],
    ("6.3", POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("6.3", POST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello"),
    ("6.3", POST + b"Content-Length: 0\r\ncontent-length: 5\r\n\r\nhello"),
    ("6.3", b"POST / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("RFC 9110 8.3", POST + b"Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n\r\n"),
    # chunk-size
    *[
        ("7.1", CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")
        for size in (
            *(
                b"",
                b" ",
                b" 5",
                b"\t5",
                b"5 ",
                b"5\t",
                b"+5",
                b"-5",
                b"0x5",
                b"0X5",
                b"5h",
                b"x",
                b"5.0",
                b"5_",
                b"_5",
            ),
            *(
                b"5,",
                b"5 5",
                b"\x0b5",
                b"5\x0b",
                b"5\0",
                b"\xb5",
                b'"5"',
                b"05" + b"0" * 20,
                b"0" * 17 + b"5",
            ),
            *(b"10000000000000005", b"ffffffffffffffff5", b"fffffffffffffffff"),
        )
    ],
    ("7.1", CHUNKED + b"5\nhello\r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\rhello\r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\r\nhello\r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"\n5\r\nhello\r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    # What ends a chunk
    ("7.1", CHUNKED + b"5\r\nhello\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello\r0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhelloXX0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello\n\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello\n\r0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello \r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello\r\n\r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"4\r\nhello\r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"6\r\nhello\r\n0\r\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello\r\n0\n\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello\r\n0\r\n\n"),
    ("7.1", CHUNKED + b"5\r\nhello\r\n0\r\n\r\r\n"),
    ("7.1", CHUNKED + b"5\r\nhello\r\n0\r\rX\n\r\n"),
    # chunk-ext
    *[
        ("7.1.1", CHUNKED + b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
        for extension in (
            *(
                b";",
                b"; ",
                b";;",
                b";a;",
                b";=b",
                b";a=",
                b';a="',
                b';a="b',
                b';a="b"c',
                b";a=b c",
                b" a",
                b",a",
            ),
            *(
                b";a=\xff",
                b";a\xff=b",
                b";a b",
                b";a=b=c",
                b';"a"=b',
                b";a=b\0",
                b";a\x0b",
                b";a=b\r",
                b';a="\x7f"',
            ),
            *(b";a\n", b";a=\nb", b'; a="\nb"', b";a\nX-Smuggled: 1", b";\n", b';a="\\\n"', b';a="\x00"'),
            b";a\nxx\r\n",
        )
    ],
    ("7.1.1", CHUNKED + b"5\r\nhello\r\n0;a\nb\r\n\r\n"),
    # Trailers
    *[
        ("7.1.2", CHUNKED + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n")
        for trailer in (
            *(
                b"A",
                b": b",
                b"A : b",
                b"A B: c",
                b"A: b\r\n c",
                b" A: b",
                b"A: \0",
                b"A: b\nC: d",
                b"A: b\rC: d",
                b"A\0: b",
            ),
            b"GET /smuggled HTTP/1.1",
        )
    ],
    ("7.1.2", CHUNKED + b"5\r\nhello\r\n0\r\nA: b\n\r\n"),
    ("7.1.2", CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\n\n"),
    ("RFC 9110 6.5.1", CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n"),
    ("RFC 9110 6.5.1", CHUNKED + b"0\r\ntransfer-encoding: chunked\r\n\r\n"),
    ("RFC 9110 6.5.1", CHUNKED + b"0\r\nHOST: b\r\n\r\n"),
    # Expect
    ("RFC 9110 10.1.1", POST + b"Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello"),
    ("RFC 9110 10.1.1", POST + b"Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\nhello"),
]

#: (section; the request; what it is: method, target, Host, body)
ACCEPTED: list[tuple[str, bytes, tuple[bytes, bytes, bytes, bytes]]] = [
    ("2.2", b"\r\n" + GET + END_OF_HEAD, (b"GET", b"/", b"a", b"")),
    ("2.3", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", (b"GET", b"/", b"", b"")),
    ("2.3", b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: a\r\n\r\n", (b"GET", b"/", b"a", b"")),
    ("3.1", b"PURGE / HTTP/1.1\r\n" + END_OF_HEAD, (b"PURGE", b"/", b"a", b"")),
    ("3.1", b"PROPFIND / HTTP/1.1\r\n" + END_OF_HEAD, (b"PROPFIND", b"/", b"a", b"")),
    ("3.1", b"M-SEARCH / HTTP/1.1\r\n" + END_OF_HEAD, (b"M-SEARCH", b"/", b"a", b"")),
    ("3.1", b"!#$%&'*+-.^_`|~0 / HTTP/1.1\r\n" + END_OF_HEAD, (b"!#$%&'*+-.^_`|~0", b"/", b"a", b"")),
    ("3.1", b"PRI / HTTP/1.1\r\n" + END_OF_HEAD, (b"PRI", b"/", b"a", b"")),
    ("3.2.1", b"GET //a//b HTTP/1.1\r\n" + END_OF_HEAD, (b"GET", b"//a//b", b"a", b"")),
    (
        "3.2.1",
        b"GET /a%20b%00?c=%0d%0a HTTP/1.1\r\n" + END_OF_HEAD,
        (b"GET", b"/a%20b%00?c=%0d%0a", b"a", b""),
    ),
    ("3.2.1", b'GET /"<>\\^`{|}[] HTTP/1.1\r\n' + END_OF_HEAD, (b"GET", b'/"<>\\^`{|}[]', b"a", b"")),
    ("3.2.1", b"GET /? HTTP/1.1\r\n" + END_OF_HEAD, (b"GET", b"/?", b"a", b"")),
    ("3.2.1", b"GET /HTTP/1.1 HTTP/1.1\r\n" + END_OF_HEAD, (b"GET", b"/HTTP/1.1", b"a", b"")),
    ("3.2.2", b"GET http://b/c?d HTTP/1.1\r\n" + END_OF_HEAD, (b"GET", b"http://b/c?d", b"b", b"")),
    ("3.2.2", b"GET HTTPS://b:443 HTTP/1.1\r\n" + END_OF_HEAD, (b"GET", b"HTTPS://b:443", b"b:443", b"")),
    (
        "3.2.2",
        b"GET http://[::1]:80/ HTTP/1.1\r\n" + END_OF_HEAD,
        (b"GET", b"http://[::1]:80/", b"[::1]:80", b""),
    ),
    ("3.2.2", b"OPTIONS http://b HTTP/1.1\r\n" + END_OF_HEAD, (b"OPTIONS", b"http://b", b"b", b"")),
    ("3.2.4", b"OPTIONS * HTTP/1.1\r\n" + END_OF_HEAD, (b"OPTIONS", b"*", b"a", b"")),
    *[
        ("3.2", GET + b"Host:" + OWS + host + b"\r\n\r\n", (b"GET", b"/", host, b""))
        for OWS in (b"", b" ", b"\t \t")
        for host in (
            *(
                b"",
                b"a",
                b"a:",
                b"a:80",
                b"A.b-c_d~e",
                b"127.0.0.1",
                b"127.0.0.1:1",
                b"[::1]",
                b"[::1]:80",
                b"a.",
            ),
            *(b"[2001:db8::7]", b"[::ffff:1.2.3.4]", b"[v1.a:b]", b"%41", b"xn--bcher-kva.example", b"a=b&c"),
        )
    ],
    ("5.1", GET + b"hOsT:a\r\n\r\n", (b"GET", b"/", b"a", b"")),
    ("5.1", GET + b"Host: \t a \t \r\n\r\n", (b"GET", b"/", b"a", b"")),
    ("5", GET + HOST + b"A:\r\nB: \r\nC:\t\r\n\r\n", (b"GET", b"/", b"a", b"")),
    ("5", GET + HOST + b"!#$%&'*+-.^_`|~0Aa: b\r\n\r\n", (b"GET", b"/", b"a", b"")),
    ("RFC 9110 5.5", GET + HOST + b"A: b\tc \xe9\xff \x80\r\n\r\n", (b"GET", b"/", b"a", b"")),
    ("RFC 9110 5.3", GET + HOST + b"A: b\r\nA: c\r\na: d\r\n\r\n", (b"GET", b"/", b"a", b"")),
    ("6.2", POST + b"Content-Length: 5\r\n\r\nhello", (b"POST", b"/", b"a", b"hello")),
    ("6.2", POST + b"content-LENGTH:005\t\r\n\r\nhello", (b"POST", b"/", b"a", b"hello")),
    ("6.2", POST + b"Content-Length: 0\r\n\r\n", (b"POST", b"/", b"a", b"")),
    ("6.3", POST + b"\r\n", (b"POST", b"/", b"a", b"")),
    ("6.3", GET + HOST + b"Content-Length: 5\r\n\r\nhello", (b"GET", b"/", b"a", b"hello")),
    ("6.3", GET + HOST + TE + b"\r\n" + HELLO, (b"GET", b"/", b"a", b"hello")),
    (
        "6.2",
        POST + b"Content-Length: 33\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n",
        (b"POST", b"/", b"a", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n"),
    ),
    ("7", POST + b"tRANSFER-eNCODING:\t CHUNKED \r\n\r\n" + HELLO, (b"POST", b"/", b"a", b"hello")),
    ("7.1", CHUNKED + b"0\r\n\r\n", (b"POST", b"/", b"a", b"")),
    ("7.1", CHUNKED + b"0005\r\nhello\r\n00000\r\n\r\n", (b"POST", b"/", b"a", b"hello")),
    (
        "7.1",
        CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        (b"POST", b"/", b"a", b"01234567890123456789"),
    ),
    ("7.1", CHUNKED + b"2\r\n\r\n\r\n3\r\n0\r\n\r\n0\r\n\r\n", (b"POST", b"/", b"a", b"\r\n0\r\n")),
    *[
        (
            "7.1.1",
            CHUNKED + b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n",
            (b"POST", b"/", b"a", b"hello"),
        )
        for extension in (
            *(
                b";a",
                b"; a",
                b" ;a",
                b"\t;\ta",
                b";a=b",
                b"; a = b",
                b';a=""',
                b';a="b c;d\te"',
                b';a="\\"\\\\"',
            ),
            *(b";a;b;c", b"; some; parameters=stuff", b';a=b;c="d";e', b';a="\xc3\xa9"'),
        )
    ],
    (
        "7.1.2",
        CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\nContent-Type: c\r\nEmpty:\r\n\r\n",
        (b"POST", b"/", b"a", b"hello"),
    ),
    ("9.6", GET + HOST + b"Connection: keep-alive, Upgrade\r\n\r\n", (b"GET", b"/", b"a", b"")),
    (
        "RFC 9110 7.8",
        GET + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
        (b"GET", b"/", b"a", b""),
    ),
    (
        "RFC 9110 7.8",
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
        (b"POST", b"/", b"a", b"hello"),
    ),
    (
        "RFC 9110 7.8",
        POST + b"Connection: Upgrade\r\nUpgrade: x\r\n" + TE + b"\r\n" + HELLO,
        (b"POST", b"/", b"a", b"hello"),
    ),
    (
        "RFC 9110 10.1.1",
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello",
        (b"POST", b"/", b"", b"hello"),
    ),
]

#: What is behind each, and must not be answered, nor reach the app, where it was refused.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

Seen = list[tuple[bytes, bytes, bytes, bytes]]


def bare(make_app: Callable[..., Any]) -> tuple[Any, Seen]:
    """An app that is nothing but what the server asks for."""
    seen: Seen = []

    async def note(stream: Any) -> None:
        host = dict(stream.headers).get(b"host", b"")
        seen.append((stream.method.encode(), stream.raw_target, host, stream.body))
        stream.respond(Head(200, ()), b"noted")

    app = make_app({})
    app.open_stream = note
    return app, seen


def whole(_make_app: Callable[..., Any]) -> tuple[Any, Seen]:
    """All of fastweb."""
    seen: Seen = []
    app = FastWeb(openapi_url=None)

    @app.middleware("http")
    async def note(request: Request, _call_next: Any) -> PlainTextResponse:
        host = dict(request.scope["headers"]).get(b"host", b"")
        path = request.scope["raw_path"]
        query = request.scope["query_string"]
        target = path + b"?" + query if query else path
        try:
            body = await request.body()
        except HTTPException as error:
            return PlainTextResponse(error.detail, error.status_code)
        seen.append((request.method.encode(), target, host, body))
        return PlainTextResponse("noted")

    return app, seen


DOORS = {"bare": bare, "whole": whole}


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


@pytest.mark.parametrize("door", DOORS)
def test_what_is_refused(listen: Listen, make_app: Callable[..., Any], door: str) -> None:
    app, seen = DOORS[door](make_app)
    server = listen(app)
    chance = random.Random(9112)
    wrong = []
    for section, request in REFUSED:
        data = request + SMUGGLED
        cut = chance.randrange(1, len(request))
        for pieces in ((data,), (data[:cut], data[cut:])):
            answers = server.ask(*pieces)
            refused = len(statuses(answers)) == 1 and answers.startswith(b"HTTP/1.1 4")
            if not refused or b"\r\nconnection: close\r\n" not in answers or seen:
                wrong.append((section, request, cut, answers, list(seen)))
            seen.clear()
    assert wrong == []


@pytest.mark.parametrize("door", DOORS)
def test_what_is_accepted(listen: Listen, make_app: Callable[..., Any], door: str) -> None:
    app, seen = DOORS[door](make_app)
    server = listen(app)
    chance = random.Random(9110)
    wrong = []
    for section, request, expected in ACCEPTED:
        method, target, host, body = expected
        if door == "whole":
            # What a scope has of an absolute target: RFC 9112 section 3.3.
            target = re.sub(rb"(?i)^https?://[^/?]*", b"", target) or b"/"
            target = target.removesuffix(b"?")
        data = request + SMUGGLED
        cut = chance.randrange(1, len(request))
        for pieces in ((data,), (data[:cut], data[cut:])):
            answers = server.ask(*pieces)
            found = statuses(answers)
            if found != [200, 200] or seen != [
                (method, target, host, body),
                (b"GET", b"/smuggled", b"a", b""),
            ]:
                wrong.append((section, request, cut, answers, list(seen)))
            seen.clear()
    assert wrong == []


# The parser by itself, cut at every byte.


def events(*pieces: bytes, limits: Limits | None = None) -> list[Any]:
    """What a parser makes of them; the last is the status of its refusal, where there is one."""
    parser = RequestParser(limits or Limits())
    found: list[Any] = []
    body = b""
    for piece in pieces:
        parser.feed(piece)
        while True:
            try:
                event = parser.next_event()
            except Refusal as refusal:
                return [*found, refusal.args[0]]
            if event == MORE:
                break
            if event == HEAD:
                found.append((parser.method, parser.target, list(parser.headers), parser.keep_alive))
            elif event == BODY:
                body += parser.piece
            elif event == END:
                found.append(body)
                body = b""
    return found


@pytest.mark.parametrize("kind", ["refused", "accepted"])
def test_the_cut_changes_nothing(kind: str) -> None:
    for request in [case[1] for case in (REFUSED if kind == "refused" else ACCEPTED)]:
        data = request + SMUGGLED
        expected = events(data)
        if kind == "accepted":
            assert len(expected) == 4, request
            assert expected[2][1] == b"/smuggled"
        elif expected[-1] != b"":  # the connection refuses an Expect field, not the parser
            assert expected[-1] in (400, 413)
            assert not any(item[1] == b"/smuggled" for item in expected[:-1] if type(item) is tuple), request
        assert events(*[data[at : at + 1] for at in range(len(data))]) == expected, request
        for cut in range(1, len(data)):
            assert events(data[:cut], data[cut:]) == expected, (request, cut)


#: Heads that no end can put right: refused as soon as that shows, and not when a time limit is over.
HOPELESS: list[tuple[str, bytes]] = [
    ("2.2", GET + b" Host: a"),
    ("2.2", GET + HOST + b"\tA: b"),
    ("2.2", b" "),
    ("2.2", b"\r\r"),
    ("2.2", GET + HOST + b"A: b\n"),
    ("2.3", b"GET / HTTP/5.6"),
    ("2.3", b"GET / HTTP/1.2"),
    ("2.3", b"GET / HTTP/0.9"),
    ("2.3", b"PRI * HTTP/2.0"),
    ("3", b"GET / \r\n"),
    ("3.2", GET + HOST + HOST),
    ("5", GET + HOST + b"A B: c\r\n"),
    ("6.1", POST + b"Transfer-Encoding: gzip\r\n"),
    ("6.2", POST + b"Content-Length: 1000000000000000000000\r\n"),
    ("6.2", POST + b"Content-Length: -5\r\n"),
    ("6.2", POST + b"Content-Length:\r\n"),
    ("6.3", POST + b"Content-Length: 5\r\nContent-Length: 5\r\n"),
    ("6.3", POST + b"Content-Length: 5\r\n" + TE),
    ("6.3", POST + TE + b"Content-Length: 5\r\n"),
]


def test_the_hopeless_are_refused_at_once(listen: Listen, make_app: Callable[..., Any]) -> None:
    app, seen = bare(make_app)
    server = listen(app, header_timeout=1000.0)
    for section, data in HOPELESS:
        assert events(data) == [400], (section, data)
        assert events(*[data[at : at + 1] for at in range(len(data))]) == [400], (section, data)
        answer = server.connect().send(data).answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close"), (section, data)
    for data in (b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/1.", b"GET /HTTP/2.0", b"\r", GET + b"A"):
        assert events(data) == [], data
    assert seen == []


def test_the_extensions_of_one_chunk_have_a_bound_beside_those_of_a_body() -> None:
    """However large the body before it: the line of one chunk is kept until its end has come."""
    body = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    for extension, expected in {
        b";a=" + b"b" * 997 + b"\r\nx\r\n0\r\n\r\n": 0x100001,
        b";a=" + b"b" * 998 + b"\r\nx\r\n0\r\n\r\n": 431,
        b";a=" + b"b" * 2000: 431,
    }.items():
        last = events(CHUNKED, body + b"1", extension, limits=Limits(chunk_extension_size=1000))[-1]
        assert (last if type(last) is int else len(last)) == expected


#: (the bound, what it is set to, the status beyond it, a request that has so many of what it bounds)
BOUNDS: list[tuple[str, int, int, Callable[[int], bytes]]] = [
    ("head_size", 300, 431, lambda n: GET + HOST + b"A: " + b"b" * (n - 32) + b"\r\n\r\n"),
    ("head_size", 300, 431, lambda n: b"\r\n" + GET + HOST + b"A: " + b"b" * (n - 34) + b"\r\n\r\n"),
    # The fields of a second request are the same.
    ("head_size", 300, 431, lambda n: _twice(b"x" * (n - 290), HOST + b"A: " + b"b" * 258 + b"\r\n\r\n")),
    ("target_size", 100, 414, lambda n: b"GET /" + b"x" * (n - 1) + b" HTTP/1.1\r\n" + END_OF_HEAD),
    ("target_size", 100, 414, lambda n: b"GET http://a/" + b"x" * (n - 9) + b" HTTP/1.1\r\n" + END_OF_HEAD),
    ("header_count", 10, 431, lambda n: GET + b"A: b\r\n" * (n - 1) + END_OF_HEAD),
    ("body_size", 100, 413, lambda n: POST + b"Content-Length: %d\r\n\r\n" % n + b"x" * n),
    ("body_size", 100, 413, lambda n: CHUNKED + b"%x\r\n" % n + b"x" * n + b"\r\n0\r\n\r\n"),
    ("body_size", 100, 413, lambda n: CHUNKED + b"1\r\nx\r\n" * n + b"0\r\n\r\n"),
    ("chunk_extension_size", 50, 431, lambda n: CHUNKED + b"1;" + b"a" * (n - 1) + b"\r\nx\r\n0\r\n\r\n"),
    ("chunk_extension_size", 50, 431, lambda n: CHUNKED + b"0;" + b"a" * (n - 1) + b"\r\n\r\n"),
    # All together, of all chunks and all fields.
    (
        "chunk_extension_size",
        50,
        431,
        lambda n: CHUNKED + b"1;a\r\nx\r\n" * 10 + b"0;" + b"a" * (n - 21) + b"\r\n\r\n",
    ),
    ("trailer_size", 50, 431, lambda n: CHUNKED + b"0\r\nA: " + b"b" * (n - 5) + b"\r\n\r\n"),
    (
        "trailer_size",
        50,
        431,
        lambda n: CHUNKED + b"0\r\n" + b"A: b\r\n" * 5 + b"A: " + b"b" * (n - 35) + b"\r\n\r\n",
    ),
    ("trailer_count", 5, 431, lambda n: CHUNKED + b"0\r\n" + b"A: b\r\n" * n + b"\r\n"),
]


def _twice(more: bytes, fields: bytes) -> bytes:
    return GET + fields + b"GET /" + more + b" HTTP/1.1\r\n" + fields


@pytest.mark.parametrize("number", range(len(BOUNDS)))
def test_what_is_within_a_bound_passes_and_one_more_does_not(number: int) -> None:
    name, bound, status, make = BOUNDS[number]
    limits = Limits(**{name: bound})
    for count in (bound, bound + 1):
        data = make(count)
        cuts = [[data], [data[at : at + 1] for at in range(len(data))]]
        cuts += [[data[:at], data[at:]] for at in range(1, len(data))]
        for pieces in cuts:
            last = events(*pieces, limits=limits)[-1]
            assert last == status if count > bound else type(last) is bytes, (len(pieces), len(pieces[0]))


def test_what_is_known_of_the_last_request_changes_nothing() -> None:
    """The parser does not read the same fields again: what is different must be seen nevertheless."""
    primed = 0
    for request in [case[1] for case in REFUSED] + [case[1] for case in ACCEPTED]:
        # A request like it, with the same fields (and what is behind them).
        fields = request.removeprefix(b"\r\n").partition(b"\r\n")[2]
        before = GET + fields
        expected = events(before)
        if len(expected) != 2 or type(expected[1]) is not bytes:
            continue  # refused, or in pieces that are no request
        primed += 1
        others = [request.replace(HOST, other) for other in (b"", HOST * 2, b"Host: @\r\n")]
        for data in (request + SMUGGLED, *others):
            whole = before + data
            cut = len(before) + len(data) // 2
            for pieces in ((whole,), (before, data), (whole[:cut], whole[cut:])):
                assert events(*pieces) == expected + events(data), pieces
    assert primed > 100


def test_what_was_not_read_is_handed_over() -> None:
    parser = RequestParser(Limits())
    parser.feed(GET + HOST + b"Upgrade: x\r\n\r\n\x81\x05hello\n")
    assert parser.next_event() == HEAD
    assert parser.upgrade
    assert parser.next_event() == END
    assert parser.has_rest()
    assert parser.take_rest() == b"\x81\x05hello\n"
    assert not parser.has_rest()
    assert parser.next_event() == MORE


def test_a_line_in_a_hundred_thousand_pieces_costs_no_more_than_its_length() -> None:
    parser = RequestParser(Limits(head_size=200_000))
    parser.feed(GET + HOST + b"A: ")
    for _ in range(150_000):
        assert parser.next_event() == MORE
        parser.feed(b"b")
    parser.feed(b"\r\n\r\n")
    assert parser.next_event() == HEAD
    assert parser.headers[1] == (b"a", b"b" * 150_000)
