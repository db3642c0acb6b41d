"""Configuration from environment variables and a file of them.

Source: https://www.starlette.dev/config/
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar, overload

from fastweb.types import Undefined

__all__ = ["Config", "Environ", "EnvironError", "environ"]

T = TypeVar("T")


class EnvironError(Exception):
    """A variable was changed after it was read: whoever read it would go by the old value."""


class Environ(MutableMapping[str, str]):
    """Environment variables that cannot be changed once they were read.

    Arguments:
        environ: where they are; by default the process's own.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._has_been_read: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self._has_been_read.add(key)
        return self._environ[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._check(key, "set")
        self._environ[key] = value

    def __delitem__(self, key: str) -> None:
        self._check(key, "delete")
        del self._environ[key]

    def _check(self, key: str, action: str) -> None:
        if key in self._has_been_read:
            raise EnvironError(
                f"Attempting to {action} environ['{key}'], but the value has already been read."
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


#: The process's environment; tests may change it before it is read.
environ = Environ()


class Config:
    """Settings: from the environment, else from a file, else the default.

        config = Config(".env")
        DEBUG = config("DEBUG", cast=bool, default=False)

    Arguments:
        env_file: lines of `KEY=value`; `#` begins a comment line, and quotes around a value are dropped. A
            file that is not there is a warning.
        environ: the environment.
        env_prefix: stands before every key, in the environment and in the file.
        encoding: of the file.
    """

    def __init__(
        self,
        env_file: str | Path | None = None,
        environ: Mapping[str, str] = environ,
        env_prefix: str = "",
        encoding: str = "utf-8",
    ) -> None:
        self.environ = environ
        self.env_prefix = env_prefix
        self.file_values: dict[str, str] = {}
        if env_file is None:
            return
        if os.path.isfile(env_file):
            self.file_values = _read_file(env_file, encoding)
        else:
            warnings.warn(f"Config file '{env_file}' not found.", stacklevel=2)

    @overload
    def __call__(self, key: str, *, default: None) -> str | None: ...
    @overload
    def __call__(self, key: str, cast: type[T], default: T = ...) -> T: ...
    @overload
    def __call__(self, key: str, cast: type[str] = ..., default: str = ...) -> str: ...
    @overload
    def __call__(self, key: str, cast: Callable[[Any], T] = ..., default: Any = ...) -> T: ...
    @overload
    def __call__(self, key: str, cast: type[str] = ..., default: T = ...) -> T | str: ...
    def __call__(self, key: str, cast: Callable[[Any], Any] | None = None, default: Any = Undefined) -> Any:
        """The value of a key; see `get`."""
        return self.get(key, cast, default)

    def get(self, key: str, cast: Callable[[Any], Any] | None = None, default: Any = Undefined) -> Any:
        """The value of a key.

        Arguments:
            key: its name, without the prefix.
            cast: makes the value of the string, and of the default; `bool` takes true, false, 1 and 0.
            default: stands in where the key has no value.

        Raises:
            KeyError: it has none, and there is no default.
            ValueError: `cast` does not take it.
        """
        key = self.env_prefix + key
        if key in self.environ:
            return _cast(key, self.environ[key], cast)
        if key in self.file_values:
            return _cast(key, self.file_values[key], cast)
        if default is Undefined:
            raise KeyError(f"Config '{key}' is missing, and has no default.")
        return _cast(key, default, cast)


def _read_file(file_name: str | Path, encoding: str) -> dict[str, str]:
    values: dict[str, str] = {}
    with open(file_name, encoding=encoding) as file:
        for line in file:
            key, separator, value = line.strip().partition("=")
            if separator and not key.startswith("#"):
                value = value.strip()
                if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
                    value = value[1:-1]
                values[key.strip()] = value
    return values


_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def _cast(key: str, value: Any, cast: Callable[[Any], Any] | None) -> Any:
    if cast is None or value is None:
        return value
    try:
        if cast is bool and isinstance(value, str):
            value = value.lower()
            return _BOOLS[value]
        return cast(value)
    except (KeyError, TypeError, ValueError):
        name = getattr(cast, "__name__", repr(cast))
        raise ValueError(f"Config '{key}' has value '{value}'. Not a valid {name}.") from None
