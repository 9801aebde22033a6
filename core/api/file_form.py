"""Files in a form, straight to disk as its bytes arrive."""

from __future__ import annotations

from pathlib import PureWindowsPath

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from core.base.errors import InvalidRequest, LimitExceeded, NotAZip
from core.base.settings import Settings
from core.stacks.sources.names import MAX_NAME_CHARACTERS
from core.stacks.stack import ImageStack
from core.stacks.upload import Upload, can_open, only_these, too_large

FORM_OVERHEAD_BYTES = 64 * 1024  # what a form may hold beside its files: boundaries, small fields
HEADER_BYTES = 2 * 1024  # and for each file: boundary and headers, with the longest name
MAX_NAME = 255  # characters of a stack's name that are kept


def most_form_overhead(files: int) -> int:
    """Bytes that a form of so many files may have beside them."""
    return FORM_OVERHEAD_BYTES + HEADER_BYTES * files


def file_name(path: str) -> str:
    """The last part of a file's path, on whatever system it was written.

    Raises:
        NotAZip: it is not called like anything that can be opened.
    """
    name = PureWindowsPath(path).name[-MAX_NAME:]
    if not can_open(name):
        raise NotAZip(only_these())
    return name


class FileForm:
    """A form (``multipart/form-data``, RFC 7578) on its way to disk: the files in its fields ``file``."""

    def __init__(self, upload: Upload[ImageStack], boundary: bytes, settings: Settings) -> None:
        if not boundary:
            raise InvalidRequest("The form's content type names no boundary.")
        self._upload = upload
        self._overhead = 0
        self._settings = settings
        self._dropped = 0
        self._in_file, self._is_kept = False, False
        self._ended = False
        self._header, self._value, self._disposition = b"", b"", b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_begin": self._header_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_end": self._form_ends,
                },
            )
        except FormParserError as error:
            raise InvalidRequest("The form's boundary is not valid.") from error

    def write(self, piece: bytes) -> None:
        """Take the next bytes of the form.

        Raises:
            InvalidRequest: it is malformed, or holds too much beside its files.
            LimitExceeded: too many or too large files.
        """
        before = self._upload.size + self._dropped
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise InvalidRequest("The form is malformed.") from error
        self._overhead += len(piece) - (self._upload.size + self._dropped - before)
        if self._overhead > FORM_OVERHEAD_BYTES + HEADER_BYTES * len(self._upload.starts):
            raise InvalidRequest("The form holds too much beside its files. Send the files, and nothing else.")
        if self._upload.size + self._dropped > self._settings.max_upload_bytes:
            raise LimitExceeded(too_large(self._settings.max_upload_bytes))

    def finish(self, name: str) -> str:
        """What the stack is called: as its one file, as the folder of all files, or ``name``.

        Raises:
            InvalidRequest: the form ended too early, or had no file.
            NotAZip: its one file is not called like anything that can be opened.
        """
        names = [name for name, _ in self._upload.starts]
        if not self._ended and self._upload.size + self._dropped + self._overhead:
            raise InvalidRequest("The form is malformed: it ends too early.")
        if not names:
            raise InvalidRequest("No file provided")
        if len(names) == 1:
            return file_name(names[0])
        folders = {name.partition("/")[0] if "/" in name else "" for name in names}
        folder = folders.pop() if len(folders) == 1 else ""
        return (folder or name or f"{len(names):,} files")[-MAX_NAME:]

    def _part_begins(self) -> None:
        self._disposition, self._in_file = b"", False

    def _header_begins(self) -> None:
        self._header, self._value = b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        filename = options.get(b"filename", b"")  # empty where a person submits a form without choosing a file
        if options.get(b"name") == b"file" and filename:
            if len(self._upload.starts) == self._settings.max_entries:
                raise LimitExceeded(f"At most {self._settings.max_entries:,} files can be sent at once.")
            name = filename.decode("utf-8", "replace")
            self._upload.begin(name[-MAX_NAME_CHARACTERS - 1 :])  # one more tells that it is too long
            self._in_file, self._is_kept = True, can_open(name)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file and self._is_kept:
            self._upload.write(data[start:end])
        elif self._in_file:
            self._dropped += end - start  # it is listed as left out, and needs no room

    def _form_ends(self) -> None:
        self._ended = True
