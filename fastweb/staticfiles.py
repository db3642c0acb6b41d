"""Folders of files as an ASGI app, to be mounted: `app.mount("/static", StaticFiles(directory="static"))`.

Source: https://www.starlette.dev/staticfiles/
"""

from __future__ import annotations

import errno
import importlib.util
import os
import stat
from collections.abc import Sequence
from email.utils import parsedate

from fastweb.concurrency import run_in_threadpool
from fastweb.datastructures import URL, Headers
from fastweb.exceptions import StarletteHTTPException as HTTPException
from fastweb.paths import get_route_path
from fastweb.responses import FileResponse, RedirectResponse, Response
from fastweb.types import Receive, Scope, Send

__all__ = ["NotModifiedResponse", "StaticFiles"]

PathLike = str | os.PathLike[str]


class NotModifiedResponse(Response):
    """304: the client has this already.

    Arguments:
        headers: of the answer that it would have got.
    """

    #: RFC 9110, section 15.4.5.
    NOT_MODIFIED_HEADERS = ("cache-control", "content-location", "date", "etag", "expires", "vary")

    def __init__(self, headers: Headers) -> None:
        kept = {name: value for name, value in headers.items() if name in self.NOT_MODIFIED_HEADERS}
        super().__init__(status_code=304, headers=kept)


class StaticFiles:
    """The files of one folder or more.

    What a path names is served only if it lies in one of the folders: neither "..", nor a symbolic link, nor
    an absolute path leads out of them.

    Arguments:
        directory: the folder.
        packages: folders within installed packages, searched after it: a package's name for its "statics",
            or a pair of a package's name and a folder in it.
        html: a folder's path is answered with its index.html, and what is not there with a 404.html.
        check_dir: the folder has to exist now, not only at the first request.
        follow_symlink: a symbolic link in a folder may lead out of it.

    Raises:
        RuntimeError: the folder does not exist.
        AssertionError: a package or its folder does not exist.
    """

    def __init__(
        self,
        *,
        directory: PathLike | None = None,
        packages: Sequence[str | tuple[str, str]] | None = None,
        html: bool = False,
        check_dir: bool = True,
        follow_symlink: bool = False,
    ) -> None:
        self.directory = directory
        self.packages = packages
        self.all_directories = self.get_directories(directory, packages)
        self.html = html
        self.config_checked = False
        self.follow_symlink = follow_symlink
        if check_dir and directory is not None and not os.path.isdir(directory):
            raise RuntimeError(f"Directory '{directory}' does not exist")

    def get_directories(
        self, directory: PathLike | None = None, packages: Sequence[str | tuple[str, str]] | None = None
    ) -> list[PathLike]:
        """The folders to look in, in order."""
        directories: list[PathLike] = [] if directory is None else [directory]
        for entry in packages or ():
            package, folder = (entry, "statics") if isinstance(entry, str) else entry
            spec = importlib.util.find_spec(package)
            assert spec is not None, f"Package {package!r} could not be found."
            assert spec.origin is not None, f"Package {package!r} could not be found."
            path = os.path.normpath(os.path.join(spec.origin, "..", folder))
            assert os.path.isdir(path), f"Directory '{folder!r}' in package {package!r} could not be found."
            directories.append(path)
        return directories

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a WebSocket is refused.

        Raises:
            HTTPException: 404 and so on, for the app that it is mounted in to answer.
            RuntimeError: the folder does not exist.
        """
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
        assert scope["type"] == "http", f"StaticFiles answers http, not {scope['type']!r}"
        if not self.config_checked:
            await self.check_config()
            self.config_checked = True
        response = await self.get_response(self.get_path(scope), scope)
        await response(scope, receive, send)

    def get_path(self, scope: Scope) -> str:
        """The path within the folders that a request asks for, as the operating system writes it."""
        route_path = get_route_path(scope)
        return os.path.normpath(os.path.join(*route_path.split("/")))

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The answer for a path within the folders.

        Raises:
            HTTPException: 404, there is no such file; 405, the method is neither GET nor HEAD; 401, the file
                may not be read.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        full_path, found = await self._look_up(path)
        if found is not None and stat.S_ISREG(found.st_mode):
            return self.file_response(full_path, found, scope)
        if self.html:
            if found is not None and stat.S_ISDIR(found.st_mode):
                full_path, index = await self._look_up(os.path.join(path, "index.html"))
                if index is not None and stat.S_ISREG(index.st_mode):
                    if not scope["path"].endswith("/"):
                        # Else the page's relative links would not lead into the folder.
                        url = URL(scope=scope)
                        return RedirectResponse(url.replace(path=url.path + "/"))
                    return self.file_response(full_path, index, scope)
            full_path, page = await self._look_up("404.html")
            if page is not None and stat.S_ISREG(page.st_mode):
                return FileResponse(full_path, stat_result=page, status_code=404)
        raise HTTPException(404)

    async def _look_up(self, path: str) -> tuple[str, os.stat_result | None]:
        try:
            return await run_in_threadpool(self.lookup_path, path)
        except PermissionError:
            raise HTTPException(401) from None
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
                raise
            raise HTTPException(404) from None
        except ValueError:  # a NUL, or what the file system cannot encode
            raise HTTPException(404) from None

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Where a path within the folders leads to, and what is there; None where there is nothing."""
        if path.startswith(("/", "\\")):
            return "", None
        for directory in self.all_directories:
            # The folder itself may be a link. Below it, following links means not to look where they lead.
            resolve = os.path.abspath if self.follow_symlink else os.path.realpath
            root = resolve(directory)
            full_path = resolve(os.path.join(directory, path))
            if os.path.commonpath((full_path, root)) != str(root):
                continue
            try:
                return full_path, os.stat(full_path)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return "", None

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The answer that is this file, or 304 where the client has it."""
        response = FileResponse(full_path, status_code=status_code, stat_result=stat_result)
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response

    async def check_config(self) -> None:
        """See once, at the first request, that the folder is there.

        Raises:
            RuntimeError: it is not, or is no folder.
        """
        if self.directory is None:
            return
        try:
            found = await run_in_threadpool(os.stat, self.directory)
        except FileNotFoundError:
            raise RuntimeError(f"StaticFiles directory '{self.directory}' does not exist.") from None
        if not stat.S_ISDIR(found.st_mode):
            raise RuntimeError(f"StaticFiles path '{self.directory}' is not a directory.")

    def is_not_modified(self, response_headers: Headers, request_headers: Headers) -> bool:
        """Whether the client's copy is the file as it is now (RFC 9110, sections 13.1.2 and 13.1.3)."""
        tags = request_headers.get("if-none-match")
        if tags:
            if tags.strip() == "*":
                return True
            etag = response_headers["etag"].removeprefix("W/")
            return etag in (tag.strip().removeprefix("W/") for tag in tags.split(","))
        since = parsedate(request_headers.get("if-modified-since"))
        modified = parsedate(response_headers.get("last-modified"))
        return since is not None and modified is not None and since >= modified
