from __future__ import annotations

import asyncio
import copy
import io
import pickle
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweb.datastructures import (
    URL,
    Address,
    CommaSeparatedStrings,
    Default,
    DefaultPlaceholder,
    FormData,
    Headers,
    ImmutableMultiDict,
    MultiDict,
    MutableHeaders,
    QueryParams,
    Secret,
    State,
    UploadFile,
    URLPath,
    parse_host,
    parse_query,
)


def test_address() -> None:
    address = Address("1.2.3.4", 80)
    assert address == ("1.2.3.4", 80)
    assert (address.host, address.port) == ("1.2.3.4", 80)


# URL

FULL = "https://name:secret@Example.org:123/path/to/x?a=1&b=2#part"


def test_components() -> None:
    url = URL(FULL)
    assert (url.scheme, url.netloc, url.path) == ("https", "name:secret@Example.org:123", "/path/to/x")
    assert (url.query, url.fragment) == ("a=1&b=2", "part")
    assert (url.username, url.password, url.hostname, url.port) == ("name", "secret", "example.org", 123)
    assert url.is_secure
    assert URL("wss://x").is_secure
    assert not URL("http://x").is_secure
    assert not URL("/https").is_secure
    assert url.components.geturl() == FULL


def test_comparison_and_repr() -> None:
    assert URL(FULL) == URL(FULL)
    assert URL(FULL) == FULL
    assert URL("/a") != URL("/b")
    assert {URL("/a"): 1}["/a"] == 1  # type: ignore[index]
    assert str(URL(FULL)) == FULL
    assert repr(URL("http://a/b")) == "URL('http://a/b')"
    assert repr(URL(FULL)) == f"URL({FULL.replace('secret', '********')!r})"
    assert repr(URL("http://name@a/b")) == "URL('http://name@a/b')"


@pytest.mark.parametrize(
    ("url", "changes", "expected"),
    [
        (FULL, {"scheme": "http"}, FULL.replace("https", "http")),
        (FULL, {"path": "/", "query": "", "fragment": ""}, "https://name:secret@Example.org:123/"),
        (FULL, {"port": None}, FULL.replace(":123", "")),
        (FULL, {"port": 88}, FULL.replace("123", "88")),
        (FULL, {"hostname": "a.example"}, FULL.replace("Example.org", "a.example")),
        (FULL, {"username": "u"}, FULL.replace("name", "u")),
        (FULL, {"password": None}, FULL.replace(":secret", "")),
        (FULL, {"username": None}, FULL.replace("name:secret@", "")),
        (FULL, {"netloc": "b"}, FULL.replace("name:secret@Example.org:123", "b")),
        ("http://[fe::2]:12/a", {"port": 13}, "http://[fe::2]:13/a"),
        ("http://[fe::2]/a", {"port": 13}, "http://[fe::2]:13/a"),
        ("http://[fe::2]:12/a", {"port": None}, "http://[fe::2]/a"),
        ("http://a:12/", {"hostname": "fe::2"}, "http://[fe::2]:12/"),
        ("http://a:12/", {"hostname": "[fe::2]"}, "http://[fe::2]:12/"),
        ("http://u:p@a/", {"port": 5}, "http://u:p@a:5/"),
        ("http:///", {"username": "u", "password": "p"}, "http://u:p@/"),
    ],
)
def test_replace(url: str, changes: dict[str, Any], expected: str) -> None:
    assert URL(url).replace(**changes) == expected


def test_query_parameters_of_a_url() -> None:
    url = URL("https://a/?x=1&y=&x=2")
    assert url.include_query_params(z=3) == "https://a/?x=1&y=&x=2&z=3"
    assert url.include_query_params(x="a b") == "https://a/?y=&x=a+b"
    assert url.replace_query_params(q=1, r="ä") == "https://a/?q=1&r=%C3%A4"
    assert url.replace_query_params() == "https://a/"
    assert url.remove_query_params("x") == "https://a/?y="
    assert url.remove_query_params(["x", "y", "z"]) == "https://a/"


def test_url_from_components() -> None:
    url = URL(scheme="https", netloc="a.example", path="/x", query="q=1")
    assert url == "https://a.example/x?q=1"
    assert URL(hostname="a", port=1, scheme="http", path="/") == "http://a:1/"


HOST = (b"host", b"a.example")


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"headers": [HOST]}, "http://a.example/p"),
        ({"headers": [HOST], "scheme": "https"}, "https://a.example/p"),
        ({"headers": [HOST], "server": ("x", 80)}, "http://a.example/p"),
        ({"headers": [(b"host", b"a:8000")]}, "http://a:8000/p"),
        ({"headers": [(b"host", b"[::1]:8000")]}, "http://[::1]:8000/p"),
        ({"headers": [HOST], "query_string": b"a=1&b"}, "http://a.example/p?a=1&b"),
        ({"headers": [HOST], "query_string": "ä".encode()}, "http://a.example/p?ä"),
        ({"headers": [HOST], "query_string": b"a=%20\xff"}, "http://a.example/p?a=%20%FF"),
        ({"headers": [HOST], "path": "/a?b#c\\d"}, "http://a.example/a%3Fb%23c%5Cd"),
        ({"headers": [HOST], "path": "//b.example/x"}, "http://a.example//b.example/x"),
        ({"server": ("x", 80)}, "http://x/p"),
        ({"server": ("x", 8080)}, "http://x:8080/p"),
        ({"server": ("x", 443), "scheme": "https"}, "https://x/p"),
        ({"server": ("x", 80), "scheme": "https"}, "https://x:80/p"),
        ({"server": ("x", 80), "scheme": "ws"}, "ws://x/p"),
        ({"server": ("x", 443), "scheme": "wss"}, "wss://x/p"),
        ({"server": ("x", 80), "scheme": "other"}, "other://x:80/p"),
        ({"server": ("::1", 8000)}, "http://[::1]:8000/p"),
        ({"server": ("/run/app.sock", None)}, "/p"),
        ({}, "/p"),
        ({"query_string": b"a=1"}, "/p?a=1"),
        ({"path": "//b.example/x"}, "/%2Fb.example/x"),
        # What is no host is not believed.
        ({"headers": [(b"host", b"a.example/x?")], "server": ("x", 80)}, "http://x/p"),
        ({"headers": [(b"host", b"a@b.example")], "server": ("x", 80)}, "http://x/p"),
        ({"headers": [(b"host", b"a:99999")], "server": ("x", 80)}, "http://x/p"),
        ({"headers": [(b"host", b"a:" + b"9" * 5000)], "server": ("x", 80)}, "http://x/p"),
        ({"headers": [(b"host", b"")], "server": ("x", 80)}, "http://x/p"),
        ({"headers": [(b"host", b"\xff")]}, "/p"),
    ],
)
def test_url_of_a_request(scope: dict[str, Any], expected: str) -> None:
    assert URL(scope={"path": "/p", "headers": [], **scope}) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "/a", "path": "/b"},
        {"url": "/a", "scope": {"path": "/"}},
        {"scope": {"path": "/"}, "path": "/b"},
    ],
)
def test_url_is_made_of_one_thing(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one of url, scope and components"):
        URL(**arguments)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", ("a", None)),
        ("a-b_c.example:80", ("a-b_c.example", "80")),
        ("127.0.0.1:0", ("127.0.0.1", "0")),
        ("[::1]", ("[::1]", None)),
        ("[::ffff:1.2.3.4]:5", ("[::ffff:1.2.3.4]", "5")),
        ("[v1.a:b]", ("[v1.a:b]", None)),
        ("a%20b", ("a%20b", None)),
        ("", None),
        (":80", None),
        ("a:", None),
        ("a:b", None),
        ("a b", None),
        ("a/b", None),
        ("a?b", None),
        ("a#b", None),
        ("a\\b", None),
        ("a@b", None),
        ("a,b", ("a,b", None)),
        ("[]", None),
        ("[1]", None),
        ("[:::]", None),
        ("[::1", None),
        ("::1", None),
        ("a\n", None),
        ("ä", None),
        ("١", None),
    ],
)
def test_parse_host(value: str, expected: tuple[str, str | None] | None) -> None:
    assert parse_host(value) == expected


def test_url_path() -> None:
    path = URLPath("/a", protocol="http", host="h")
    assert (path, path.protocol, path.host) == ("/a", "http", "h")
    assert URLPath("//b.example/x") == "/%2Fb.example/x"
    assert URLPath("/a\\b") == "/a%5Cb"
    with pytest.raises(ValueError, match="not 'ftp'"):
        URLPath("/a", protocol="ftp")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "base", "expected"),
    [
        (URLPath("/a"), "https://b.example/", "https://b.example/a"),
        (URLPath("/a"), "https://b.example/root/", "https://b.example/root/a"),
        (URLPath("/a", protocol="http"), "https://b.example/", "https://b.example/a"),
        (URLPath("/a", protocol="http"), "ws://b.example/", "http://b.example/a"),
        (URLPath("/a", protocol="websocket"), "https://b.example/", "wss://b.example/a"),
        (URLPath("/a", protocol="websocket"), "http://b.example/", "ws://b.example/a"),
        (URLPath("/a", host="c.example"), "http://b.example/x", "http://c.example/x/a"),
    ],
)
def test_make_absolute_url(path: URLPath, base: str, expected: str) -> None:
    assert path.make_absolute_url(base) == expected
    assert path.make_absolute_url(URL(base)) == expected


# Multidicts

PAIRS = [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize("kind", [ImmutableMultiDict, MultiDict, QueryParams])
def test_reading(kind: Any) -> None:
    d = kind(PAIRS)
    assert d["a"] == "3"
    assert d.get("a") == "3"
    assert d.get("c") is None
    assert d.getlist("a") == ["1", "3"]
    assert d.getlist("c") == []
    assert list(d) == list(d.keys()) == ["a", "b"]
    assert list(d.values()) == ["3", "2"]
    assert list(d.items()) == [("a", "3"), ("b", "2")]
    assert d.multi_items() == PAIRS
    assert dict(d) == {"a": "3", "b": "2"}
    assert len(d) == 2
    assert "a" in d
    assert "c" not in d
    with pytest.raises(KeyError):
        d["c"]


@pytest.mark.parametrize("kind", [ImmutableMultiDict, MultiDict, QueryParams])
def test_making_and_comparing(kind: Any) -> None:
    assert kind() == kind([]) == kind({})
    assert kind(PAIRS) == kind(kind(PAIRS))
    assert kind(PAIRS) == kind([PAIRS[1], PAIRS[0], PAIRS[2]])
    assert kind(PAIRS) != kind([PAIRS[2], PAIRS[1], PAIRS[0]])
    assert kind({"a": "1"}) == kind([("a", "1")]) == kind(a="1")
    assert kind([("a", "1")], a="2").multi_items() == [("a", "1"), ("a", "2")]
    assert kind(PAIRS) != {"a": "3", "b": "2"}
    assert kind(pair for pair in PAIRS).multi_items() == PAIRS
    with pytest.raises(TypeError):
        hash(kind())
    with pytest.raises(TypeError):
        kind(PAIRS, PAIRS)


def test_a_copy_is_a_copy() -> None:
    d = MultiDict(PAIRS)
    other = MultiDict(d)
    other["a"] = "9"
    assert d.multi_items() == PAIRS
    items = d.multi_items()
    items.clear()
    assert d.multi_items() == PAIRS


def test_repr_of_a_multidict() -> None:
    assert repr(MultiDict(PAIRS)) == "MultiDict([('a', '1'), ('b', '2'), ('a', '3')])"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.__setitem__("a", "9"), [("b", "2"), ("a", "9")]),
        (lambda d: d.__setitem__("c", "9"), [*PAIRS, ("c", "9")]),
        (lambda d: d.__delitem__("a"), [("b", "2")]),
        (lambda d: d.pop("a"), [("b", "2")]),
        (lambda d: d.pop("c", None), PAIRS),
        (lambda d: d.poplist("a"), [("b", "2")]),
        (lambda d: d.poplist("c"), PAIRS),
        (lambda d: d.popitem(), [("a", "1"), ("a", "3")]),
        (lambda d: d.clear(), []),
        (lambda d: d.setdefault("a", "9"), PAIRS),
        (lambda d: d.setdefault("c", "9"), [*PAIRS, ("c", "9")]),
        (lambda d: d.setlist("a", ["8", "9"]), [("b", "2"), ("a", "8"), ("a", "9")]),
        (lambda d: d.setlist("a", []), [("b", "2")]),
        (lambda d: d.append("a", "9"), [*PAIRS, ("a", "9")]),
        (lambda d: d.update({"a": "9"}), [("b", "2"), ("a", "9")]),
        (lambda d: d.update([("a", "8"), ("a", "9")]), [("b", "2"), ("a", "8"), ("a", "9")]),
        (lambda d: d.update(MultiDict(PAIRS[:1]), c="9"), [("b", "2"), ("a", "1"), ("c", "9")]),
    ],
)
def test_changing_a_multidict(change: Any, expected: list[tuple[str, str]]) -> None:
    d = MultiDict(PAIRS)
    change(d)
    assert d.multi_items() == expected
    assert dict(d) == dict(expected)


def test_what_changes_return() -> None:
    assert MultiDict(PAIRS).pop("a") == "3"
    assert MultiDict(PAIRS).pop("c", 5) == 5
    assert MultiDict(PAIRS).poplist("a") == ["1", "3"]
    assert MultiDict(PAIRS).popitem() == ("b", "2")
    assert MultiDict(PAIRS).setdefault("a", "9") == "3"
    assert MultiDict(PAIRS).setdefault("c") is None
    d = MultiDict(PAIRS)
    with pytest.raises(KeyError):
        del d["c"]
    assert d.multi_items() == PAIRS


# Query parameters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", []),
        ("a=1&b=2&a=3", PAIRS),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("=1", [("", "1")]),
        ("&&a=1&", [("a", "1")]),
        ("a=1=2", [("a", "1=2")]),
        ("a+b=c+d", [("a b", "c d")]),
        ("a%2Bb=%26%3D", [("a+b", "&=")]),
        ("a=%C3%A4%20", [("a", "ä ")]),
        ("a=%zz%4", [("a", "%zz%4")]),
        ("a=%ff", [("a", "\ufffd")]),
        ("a=1;b=2", [("a", "1;b=2")]),
        ("a=ä", [("a", "ä")]),
    ],
)
def test_query_strings(query: str, expected: list[tuple[str, str]]) -> None:
    assert QueryParams(query).multi_items() == expected
    assert parse_query(query) == expected
    assert parse_qsl(query, keep_blank_values=True) == expected
    if query.isascii():
        assert QueryParams(query.encode()) == QueryParams(query)


def test_bytes_of_a_query_are_latin_1() -> None:
    assert QueryParams(b"a=\xe4")["a"] == "ä"


@given(st.text(alphabet="ab=&+%2Bcä;#\x00 ", max_size=40))
def test_a_query_is_parsed_as_the_standard_library_does(query: str) -> None:
    assert parse_query(query) == parse_qsl(query, keep_blank_values=True)


TEXT = st.text(st.characters(codec="utf-8"), max_size=5)


@given(st.lists(st.tuples(TEXT, TEXT)))
def test_query_parameters_survive_writing_and_reading(pairs: list[tuple[str, str]]) -> None:
    assert QueryParams(str(QueryParams(pairs))).multi_items() == pairs


def test_query_parameters_are_strings() -> None:
    params = QueryParams({"a": 1, 2: None}, b=True)
    assert params.multi_items() == [("a", "1"), ("2", "None"), ("b", "True")]
    assert QueryParams("a=1", b=2).multi_items() == [("a", "1"), ("b", "2")]
    assert str(QueryParams([("a", "x y"), ("a", "&")])) == "a=x+y&a=%26"
    assert repr(QueryParams("a=1&b=")) == "QueryParams('a=1&b=')"


# Header fields

RAW = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


@pytest.mark.parametrize("kind", [Headers, MutableHeaders])
def test_reading_headers(kind: Any) -> None:
    h = kind(raw=list(RAW))
    assert h["a"] == h["A"] == "1"
    assert h.get("A") == "1"
    assert h.get("c") is None
    assert h.get("c", "x") == "x"
    assert h.getlist("A") == ["1", "3"]
    assert h.getlist("c") == []
    assert h.keys() == list(h) == ["a", "b", "a"]
    assert h.values() == ["1", "2", "3"]
    assert h.items() == PAIRS
    assert dict(h) == {"a": "1", "b": "2"}
    assert len(h) == 3
    assert "A" in h
    assert "c" not in h
    assert h.raw == RAW
    with pytest.raises(KeyError, match="c"):
        h["c"]


def test_making_headers() -> None:
    assert Headers({"X-A": "ä"}).raw == [(b"x-a", b"\xe4")]
    assert Headers({"X-A": "ä"})["x-a"] == "ä"
    assert Headers().raw == []
    scope: dict[str, Any] = {"headers": tuple(RAW)}
    h = MutableHeaders(scope=scope)
    assert scope["headers"] == RAW
    h["c"] = "4"
    assert scope["headers"][-1] == (b"c", b"4")
    several: list[dict[str, Any]] = [
        {"headers": {}, "raw": []},
        {"headers": {}, "scope": scope},
        {"raw": [], "scope": scope},
    ]
    for arguments in several:
        with pytest.raises(ValueError, match="one of headers, raw and scope"):
            Headers(**arguments)
    with pytest.raises(UnicodeEncodeError):
        Headers({"a": "€"})


def test_comparing_headers() -> None:
    assert Headers({"A": "1", "B": "2"}) == Headers({"b": "2", "a": "1"})
    assert Headers({"A": "1"}) == MutableHeaders({"a": "1"})
    assert Headers({"A": "1"}) != Headers({"a": "2"})
    assert Headers({"a": "1"}) != {"a": "1"}
    with pytest.raises(TypeError):
        hash(Headers())


def test_repr_of_headers() -> None:
    assert repr(Headers({"A": "1"})) == "Headers({'a': '1'})"
    assert repr(MutableHeaders(raw=RAW[:])) == f"MutableHeaders(raw={RAW!r})"


def test_mutablecopy() -> None:
    h = Headers(raw=list(RAW))
    other = h.mutablecopy()
    other["a"] = "9"
    assert h.raw == RAW
    assert isinstance(other, MutableHeaders)
    assert h.raw is not h.raw
    assert other.raw is other.raw


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda h: h.__setitem__("A", "9"), [(b"a", b"9"), (b"b", b"2")]),
        (lambda h: h.__setitem__("B", "9"), [(b"a", b"1"), (b"b", b"9"), (b"a", b"3")]),
        (lambda h: h.__setitem__("C", "ä"), [*RAW, (b"c", b"\xe4")]),
        (lambda h: h.__delitem__("A"), [(b"b", b"2")]),
        (lambda h: h.__delitem__("C"), RAW),
        (lambda h: h.append("A", "9"), [*RAW, (b"a", b"9")]),
        (lambda h: h.setdefault("A", "9"), RAW),
        (lambda h: h.setdefault("C", "9"), [*RAW, (b"c", b"9")]),
        (lambda h: h.update({"A": "8", "c": "9"}), [(b"a", b"8"), (b"b", b"2"), (b"c", b"9")]),
        (lambda h: h.__ior__({"A": "8"}), [(b"a", b"8"), (b"b", b"2")]),
        (lambda h: h.add_vary_header("Origin"), [*RAW, (b"vary", b"Origin")]),
    ],
)
def test_changing_headers(change: Any, expected: list[tuple[bytes, bytes]]) -> None:
    raw = list(RAW)
    h = MutableHeaders(raw=raw)
    change(h)
    assert h.raw is raw
    assert raw == expected


def test_headers_joined() -> None:
    h = MutableHeaders({"a": "1"})
    joined = h | {"B": "2"}
    assert isinstance(joined, MutableHeaders)
    assert (joined.raw, h.raw) == ([(b"a", b"1"), (b"b", b"2")], [(b"a", b"1")])
    h |= {"A": "3"}
    assert h.raw == [(b"a", b"3")]
    pairs: Any = [("a", "1")]
    with pytest.raises(TypeError, match="Expected a mapping but got list"):
        h | pairs
    with pytest.raises(TypeError, match="Expected a mapping but got list"):
        h |= pairs


def test_vary_and_setdefault() -> None:
    h = MutableHeaders({"Vary": "Accept"})
    h.add_vary_header("Origin")
    assert h["vary"] == "Accept, Origin"
    assert h.setdefault("vary", "x") == "Accept, Origin"
    assert h.setdefault("b", "x") == "x"


@pytest.mark.parametrize("key", ["€", "a€"])
def test_names_and_values_are_latin_1(key: str) -> None:
    h = MutableHeaders()
    with pytest.raises(UnicodeEncodeError):
        h[key] = "1"
    with pytest.raises(UnicodeEncodeError):
        h["a"] = key
    assert h.raw == []


# State and small things


def test_state() -> None:
    given: dict[str, Any] = {"old": 1}
    state = State(given)
    state.new = 2
    state["third"] = 3
    assert (state.old, state["new"], state.third) == (1, 2, 3)
    assert given == {"old": 1, "new": 2, "third": 3}
    assert list(state) == ["old", "new", "third"]
    assert len(state) == 3
    del state.old
    del state["new"]
    assert given == {"third": 3}
    for missing in (lambda: state.gone, lambda: state.__delattr__("gone")):
        with pytest.raises(AttributeError, match="'State' object has no attribute 'gone'"):
            missing()
    with pytest.raises(KeyError):
        state["gone"]
    with pytest.raises(KeyError):
        del state["gone"]
    assert not hasattr(State(), "x")
    assert len(State()) == 0


def test_state_can_be_copied_and_pickled() -> None:
    state = State({"a": [1]})
    assert copy.deepcopy(state).a == [1]
    assert copy.copy(state).a is state.a
    assert pickle.loads(pickle.dumps(state)).a == [1]


def test_secret() -> None:
    secret = Secret("open sesame")
    assert repr(secret) == "Secret('**********')"
    assert str(secret) == "open sesame"
    assert secret
    assert not Secret("")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a, b", ["a", "b"]),
        ("'a, b', c", ["a, b", "c"]),
        ("a", ["a"]),
        ("", []),
        (["a, b", "c"], ["a, b", "c"]),
    ],
)
def test_comma_separated_strings(value: Any, expected: list[str]) -> None:
    items = CommaSeparatedStrings(value)
    assert list(items) == expected
    assert len(items) == len(expected)
    assert items[:] == expected
    assert repr(items) == f"CommaSeparatedStrings({expected!r})"
    assert str(items) == ", ".join(repr(item) for item in expected)
    if expected:
        assert items[0] == expected[0]


def test_default() -> None:
    default: Any = Default("x")
    assert isinstance(default, DefaultPlaceholder)
    assert default.value == "x"
    assert default
    assert not Default(None)
    assert default == Default("x")
    assert default != Default("y")
    assert default != "x"
    assert repr(default) == "Default('x')"


def test_upload_files() -> None:
    async def run() -> None:
        with SpooledTemporaryFile[bytes](max_size=10) as spooled:
            headers = Headers({"content-type": "text/plain"})
            file = UploadFile(cast(BinaryIO, spooled), size=0, filename="a", headers=headers)
            await file.write(b"12345")
            assert (file.size, file._in_memory, file.content_type) == (5, True, "text/plain")
            await file.seek(1)
            assert await file.read(2) == b"23"
            await file.seek(5)
            await file.write(b"678901")
            assert (file.size, file._in_memory) == (11, False)
            await file.seek(0)
            assert await file.read() == b"12345678901"
            assert repr(file) == f"UploadFile(filename='a', size=11, headers={headers!r})"
            form = FormData([("file", file), ("text", "a")])
            assert form.multi_items() == [("file", file), ("text", "a")]
            await form.close()
            assert spooled.closed

    asyncio.run(run())


def test_any_file_can_be_an_upload() -> None:
    async def run() -> None:
        file = UploadFile(io.BytesIO(b"data"))
        assert (file.filename, file.size, file.content_type) == (None, None, None)
        assert await file.read() == b"data"
        await file.write(b"more")
        await file.seek(4)
        assert (await file.read(), file.size) == (b"more", None)
        await file.close()
        assert file.file.closed

    asyncio.run(run())


def test_upload_files_as_a_type() -> None:
    file = UploadFile(io.BytesIO())
    assert UploadFile._validate(file, None) is file
    with pytest.raises(ValueError, match="Expected UploadFile, received: <class 'str'>"):
        UploadFile._validate("a", None)
