"""A small app that mounts the viewer and the gallery on generated images: ``streamlit run component_app.py``.

Image ``i`` is one flat colour with a white block in its top left quarter, so that a test can tell from the
canvas which image is shown and how it is turned. Image 7 cannot be read; image 9 answers slowly.
"""

from __future__ import annotations

import asyncio
import colorsys
import io
from pathlib import Path

import streamlit as st
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

WIDTH, HEIGHT = 500, 375
BROKEN, SLOW = 7, 9
IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}
LABELS = ("cat", "dog", "tabby cat with a long name")


def colour(index: int) -> tuple[int, int, int]:
    """The colour of image ``index``; neighbours differ clearly."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.55, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)


def png(index: int, width: int, height: int) -> bytes:
    """PNG bytes of image ``index``."""
    image = Image.new("RGB", (width, height), colour(index))
    image.paste((255, 255, 255), (0, 0, width // 4, height // 4))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def name(index: int) -> str:
    """File name of image ``index``; one of them holds markup, which must stay text."""
    return "<img src=x onerror=alert(1)>.png" if index == 3 else f"series é/frame_{index + 1:05d}.png"


async def index_route(request: Request) -> Response:
    """The index of a stack of as many images as its id says."""
    count = int(request.path_params["stack_id"].rsplit("-", 1)[1])
    images = [[name(index), WIDTH, HEIGHT, "8-bit RGB", 345_000] for index in range(count)]
    return JSONResponse({"id": request.path_params["stack_id"], "images": images}, headers=IMMUTABLE)


async def image_route(request: Request) -> Response:
    """One image, or its thumbnail."""
    index = int(request.path_params["index"])
    if index == BROKEN:
        return JSONResponse({"code": "image_invalid", "detail": "The PNG ends too early."}, status_code=422)
    if request.path_params["kind"] == "thumbnail":
        return Response(png(index, 192, 144), media_type="image/png", headers=IMMUTABLE)
    if index == SLOW:
        await asyncio.sleep(1)
    return Response(png(index, WIDTH, HEIGHT), media_type="image/png", headers=IMMUTABLE)


async def results_route(request: Request) -> Response:
    """Answers for the even images; two engines that differ on image 4."""
    results = {}
    for index in range(0, 40, 2):
        label = LABELS[index // 2 % 3]
        other = "dog" if index == 4 else label
        results[index] = [[label, 0.983 - index / 100, "OpenVINO INT8"], [other, 0.91, "PyTorch FP32"]]
    return JSONResponse({"results": results})


SCRIPT = Path(__file__).with_name("component_page.py")
# Routes of one's own do not follow Streamlit's base path by themselves.
BASE = f"{st.get_option('server.baseUrlPath').strip('/')}/test-api/stacks/{{stack_id}}".lstrip("/")
app = st.App(
    SCRIPT.resolve(),
    routes=[
        Route(f"/{BASE}/index", index_route),
        Route(f"/{BASE}/results", results_route),
        Route(f"/{BASE}/images/{{index:int}}/{{kind}}", image_route),
    ],
)
