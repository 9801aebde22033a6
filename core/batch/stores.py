"""Where files of a job are: a folder of this machine, or a store that many machines reach, by one kind of address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from core.base.errors import InvalidRequest, StoreUnreachable

# scheme, host or bucket, path, and options such as ?endpoint_override=localhost:9000
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/?]*)(?P<path>/[^?]*)?(?P<options>\?.*)?", re.DOTALL)
_RENAMES = {"local", "hdfs"}  # whose files come into being piece by piece, and are renamed in one step
_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Store:
    """A file system of pyarrow's. It travels to other processes.

    Attributes:
        files: what reads and writes; its paths have no scheme.
        scheme: what stands before a path to make an address of it, such as ``"s3://"``; empty on this machine.
    """

    files: Any
    scheme: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it is the disks of this machine."""
        return bool(self.files.type_name == "local")

    @property
    def renames(self) -> bool:
        """Whether a file must be written under another name to appear at once; object stores need no help."""
        return self.files.type_name in _RENAMES

    def address(self, path: str) -> str:
        """For people: the path with its scheme."""
        return f"{self.scheme}{path}"

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder at ``path``."""
        return bool(self.files.get_file_info(path).type != pafs.FileType.NotFound)

    def read(self, path: str) -> bytes:
        """All bytes of a small file."""
        with self.files.open_input_stream(path) as file:
            return bytes(file.read())


LOCAL = Store(pafs.LocalFileSystem())


def locate(address: str) -> tuple[Store, str]:
    """The store of an address, and the path in it.

    Raises:
        InvalidRequest: nothing here knows such an address.
        StoreUnreachable: it cannot be reached, or nothing says who asks.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return LOCAL, str(Path(address).absolute())
    scheme, host, path = found["scheme"], found["host"], found["path"] or ""
    if scheme == "file":
        return LOCAL, path
    with store_errors(address):
        files, base = _file_system(f"{scheme}://{host}", found["options"] or "")
    return Store(files, f"{scheme}://"), f"{base}{path}".rstrip("/")


def _file_system(root: str, options: str) -> tuple[Any, str]:
    """pyarrow's own where it has one, or that of fsspec."""
    try:
        files, base = pafs.FileSystem.from_uri(root + options)
        return files, base.rstrip("/")
    except (ValueError, ImportError) as error:
        fsspec_files, base = _of_fsspec(root, error)
        return pafs.PyFileSystem(pafs.FSSpecHandler(fsspec_files)), base.rstrip("/")


def _of_fsspec(root: str, error: Exception) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(root)
    except (ValueError, ImportError) as other:
        reason = error if isinstance(error, ImportError) else other
        raise InvalidRequest(f"{root} is no address that can be read here: {brief(reason)}.") from other
    return found


@contextmanager
def store_errors(address: str) -> Iterator[None]:
    """Turn what a store says when it cannot be used into a sentence about ``address``.

    Raises:
        StoreUnreachable: for any OSError but those of files alone.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidRequest(f"{address}: there is nothing there. Look at the address.") from error
    except PermissionError as error:
        raise StoreUnreachable(f"{address} may not be used by this program; change its permissions.") from error
    except OSError as error:
        hint = "Look at the address, the network and the credentials"
        raise StoreUnreachable(f"{address} cannot be reached ({brief(error)}). {hint}.") from error


def brief(error: BaseException) -> str:
    """What an error says, on one line, without an end to its sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = " ".join(text.split()) or type(error).__name__
    return line[:_REASON_CHARACTERS].rstrip(". ")


def write_whole(store: Store, path: str, content: bytes | memoryview) -> None:
    """Have ``content`` appear at ``path`` at once and for good, whenever the writer ends.

    Raises:
        OSError: it cannot be written; nothing is there then.
    """
    if store.is_local:
        _write_local(Path(path), content)
        return
    target = f"{path}.partial" if store.renames else path
    with store.files.open_output_stream(target) as file:
        file.write(content)
    if store.renames:
        store.files.move(target, path)


def _write_local(path: Path, content: bytes | memoryview) -> None:
    import os
    import tempfile

    # A name of its own: two may write the same file, as when one was given up too early.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
