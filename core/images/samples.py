"""The samples of an image as an HTTP body, for programs and for the viewer's exact values and windowing."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import Any

import imagecodecs
import numpy as np

from core.images.formats.format import Pixels

_PROBE_BYTES = 64 * 1024
_WORTHWHILE = 0.8  # compressed to original size; noise hardly shrinks and would only cost time


def pack(samples: Pixels, *, gzip: bool) -> tuple[bytes, dict[str, str]]:
    """Rows of little-endian samples, from the top left, and the headers that tell how to read them.

    ``X-Image-Shape`` is ``height,width,channels``, ``X-Image-Dtype`` one of ``format.SAMPLE_TYPES``. With ``gzip`` the
    body is compressed where a piece from the middle of the image shrinks enough to be worth it.
    """
    body, headers = _bytes(samples), _headers(samples.shape, samples.dtype)
    if gzip and _shrinks(body):
        return _gzip(body), headers | {"Content-Encoding": "gzip"}
    return body, headers


def pack_strips(
    first: Pixels, others: Iterator[Pixels], height: int, *, gzip: bool
) -> tuple[Generator[bytes], dict[str, str]]:
    """The same of an image ``height`` pixels high that comes in strips, in pieces; the ``first`` one tells its type."""
    headers = _headers((height, *first.shape[1:]), first.dtype)
    if gzip and _shrinks(_bytes(first)):
        return _gzip_pieces(first, others), headers | {"Content-Encoding": "gzip"}
    return _pieces(first, others), headers | {"Content-Length": str(height * first[0].nbytes)}


def _bytes(samples: Pixels) -> bytes:
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def _headers(shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, str]:
    return {"X-Image-Shape": ",".join(map(str, shape)), "X-Image-Dtype": dtype.name, "Vary": "Accept-Encoding"}


def _shrinks(body: bytes) -> bool:
    start = max(0, (len(body) - _PROBE_BYTES) // 2)
    probe = body[start : start + _PROBE_BYTES]
    return len(_gzip(probe)) < _WORTHWHILE * len(probe)


def _pieces(first: Pixels, others: Iterator[Pixels]) -> Generator[bytes]:
    yield _bytes(first)
    for strip in others:
        yield _bytes(strip)


def _gzip_pieces(first: Pixels, others: Iterator[Pixels]) -> Generator[bytes]:
    packer = zlib.compressobj(level=1, wbits=16 + zlib.MAX_WBITS)
    for piece in _pieces(first, others):
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _gzip(data: bytes) -> bytes:
    return bytes(imagecodecs.gzip_encode(data, level=1))
