"""Folders of files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fastweb.exceptions import StarletteHTTPException
from fastweb.staticfiles import StaticFiles
from tests.responses.sending import messages_of, sent

LETTERS = Path(__file__).parent / "files" / "letters"


def get(files: StaticFiles, path: str, method: str = "GET", root_path: str = "", **headers: str) -> Any:
    """Status, header fields and body."""
    status, fields, pieces = sent(
        files,
        path=root_path + path,
        root_path=root_path,
        method=method,
        query_string=b"a=1",
        headers=[(b"host", b"testserver")]
        + [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    )
    return status, dict(fields), b"".join(pieces)


@pytest.mark.parametrize("root_path", ["", "/static"])
@pytest.mark.parametrize("path", ["/letters.txt", "//letters.txt", "/./letters.txt", "/deep/../letters.txt"])
def test_file(path: str, root_path: str) -> None:
    status, headers, body = get(StaticFiles(directory=LETTERS), path, root_path=root_path)
    assert (status, body) == (200, b"abcdefghijklmnopqrstuvwxyz")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert get(StaticFiles(directory=str(LETTERS)), path, "HEAD")[::2] == (200, b"")
    assert get(StaticFiles(directory=LETTERS), path, range="bytes=1-2")[::2] == (206, b"bc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `public` with a file, and secrets all around it."""
    for name in ("public", "public2", "private"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.txt").write_text(name)
    (tmp_path / "file.txt").write_text("above")
    return tmp_path / "public"


@pytest.mark.parametrize(
    "path",
    [
        "/none.txt",
        "/",
        "",
        "/../file.txt",
        "/../private/file.txt",
        "/../public2/file.txt",
        "/..\\private\\file.txt",
        "/..%2fprivate/file.txt",
        "/%2e%2e/file.txt",
        "/....//file.txt",
        "/a/../../file.txt",
        "/file.txt/x",
        "/file.txt\0",
        "/\0",
        "//etc/passwd",
        "/\\etc\\passwd",
        "/\\\\host\\share",
        "//host/share",
        "/C:/file.txt",
        "/" + "x" * 5000,
        "/\udcff",
    ],
)
@pytest.mark.parametrize("html", [False, True])
def test_what_is_not_found(folder: Path, path: str, html: bool) -> None:
    with pytest.raises(StarletteHTTPException) as caught:
        get(StaticFiles(directory=folder, html=html), path)
    assert caught.value.status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(method: str) -> None:
    with pytest.raises(StarletteHTTPException) as caught:
        get(StaticFiles(directory=LETTERS), "/letters.txt", method)
    assert (caught.value.status_code, caught.value.headers) == (405, {"Allow": "GET, HEAD"})


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links(folder: Path) -> None:
    (folder / "out.txt").symlink_to(folder.parent / "private" / "file.txt")
    (folder / "in.txt").symlink_to(folder / "file.txt")
    (folder.parent / "link").symlink_to(folder, target_is_directory=True)
    assert get(StaticFiles(directory=folder), "/in.txt")[2] == b"public"
    assert get(StaticFiles(directory=folder.parent / "link"), "/file.txt")[2] == b"public"
    with pytest.raises(StarletteHTTPException):
        get(StaticFiles(directory=folder), "/out.txt")
    assert get(StaticFiles(directory=folder, follow_symlink=True), "/out.txt")[2] == b"private"
    with pytest.raises(StarletteHTTPException):
        get(StaticFiles(directory=folder, follow_symlink=True), "/../private/file.txt")
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(StarletteHTTPException, match="404"):
        get(StaticFiles(directory=folder), "/loop")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": "ETAG"}, 304),
        ({"if_none_match": 'W/ETAG, "x"'}, 304),
        ({"if_none_match": '"x"'}, 200),
        ({"if_none_match": '"x"', "if_modified_since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 200),
        ({"if_modified_since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304),
        ({"if_modified_since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
        ({"if_modified_since": "yesterday"}, 200),
    ],
)
def test_not_modified(headers: dict[str, str], status: int) -> None:
    files = StaticFiles(directory=LETTERS)
    etag = get(files, "/letters.txt")[1]["etag"]
    found, fields, body = get(
        files, "/letters.txt", **{name: value.replace("ETAG", etag) for name, value in headers.items()}
    )
    assert (found, bool(body)) == (status, status == 200)
    if status == 304:
        assert fields == {"etag": etag}


def test_html() -> None:
    files = StaticFiles(directory=LETTERS, html=True)
    assert get(files, "/deep/")[::2] == (200, b"<h1>index</h1>")
    status, headers, _ = get(files, "/deep", root_path="/static")
    assert (status, headers["location"]) == (307, "http://testserver/static/deep/?a=1")
    assert get(files, "/none")[::2] == (404, b"<h1>lost</h1>")
    assert get(files, "/")[::2] == (404, b"<h1>lost</h1>")
    assert get(files, "/letters.txt")[0] == 200


def test_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "a_package_of_files"
    for folder in ("statics", "other"):
        (package / folder).mkdir(parents=True)
        (package / folder / f"{folder}.txt").write_text(folder)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    files = StaticFiles(directory=LETTERS, packages=["a_package_of_files", ("a_package_of_files", "other")])
    for path, body in (("/statics.txt", b"statics"), ("/other.txt", b"other")):
        assert get(files, path)[2] == body
    assert get(files, "/letters.txt")[0] == 200
    with pytest.raises(AssertionError, match="in package 'a_package_of_files' could not be found"):
        StaticFiles(packages=[("a_package_of_files", "nowhere")])
    with pytest.raises(AssertionError, match="no_such_package"):
        StaticFiles(packages=["no_such_package"])


def test_the_folder_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not exist"):
        StaticFiles(directory=tmp_path / "none")
    later = StaticFiles(directory=tmp_path / "none", check_dir=False)
    with pytest.raises(RuntimeError, match="does not exist"):
        get(later, "/x")
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeError, match="is not a directory"):
        get(StaticFiles(directory=tmp_path / "file", check_dir=False), "/x")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_what_may_not_be_read(folder: Path) -> None:
    folder.chmod(0)
    try:
        with pytest.raises(StarletteHTTPException) as caught:
            get(StaticFiles(directory=folder), "/file.txt")
    finally:
        folder.chmod(0o755)
    assert caught.value.status_code == 401


def test_other_connections() -> None:
    files = StaticFiles(directory=LETTERS)
    assert messages_of(files, type="websocket") == [{"type": "websocket.close", "code": 1000, "reason": ""}]
    with pytest.raises(AssertionError, match="lifespan"):
        messages_of(files, type="lifespan")
