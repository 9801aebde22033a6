"""Every limit and option of the product: name, default, reason, environment variable.

Each field is read from the environment as ``AISR_<NAME IN UPPER CASE>``; the description says what it
does and why the default is what it is. ``aisr settings`` and ``python -m core.base.settings`` print the table.
"""

from __future__ import annotations

import argparse
import ipaddress
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.base.cpu import usable_cores

PROJECT_ROOT = Path(__file__).resolve().parents[2]
# A copy that pip has installed lies among other packages, where nothing may be written.
IS_CHECKOUT = PROJECT_ROOT.name not in {"site-packages", "dist-packages"}
MIB = 1024 * 1024
MAX_WEIGHTS_BYTES = 512 * MIB
MAX_PIXELS = 100_000_000
MIN_TOKEN_LENGTH = 16


def split_list(text: str) -> list[str]:
    """The parts of a setting that is a list, separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


class Settings(BaseSettings):
    """The settings of one process; immutable after the first read."""

    model_config = SettingsConfigDict(env_prefix="AISR_", frozen=True, hide_input_in_errors=True)

    models_dir: Path = Field(
        PROJECT_ROOT / "models", description="Folder of the models that ship with the app, one folder each."
    )
    cache_dir: Path = Field(
        PROJECT_ROOT / "models" / "cache" if IS_CHECKOUT else platformdirs.user_cache_path("aisr"),
        description="Folder for what can be made again: compiled models, converted models, measured batch sizes.",
    )
    data_dir: Path = Field(
        platformdirs.user_data_path("aisr"),
        description="Folder of models that people download or make; outside the app, so that updating it keeps them.",
    )
    work_dir: Path = Field(
        Path(tempfile.gettempdir()) / f"aisr-{os.getuid()}",
        description="Private folder for uploaded stacks; each stack gets a folder of its own, deleted with it.",
    )
    model: str = Field("starter", description="Name of the model that recognises images by default.")
    keep_models: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether people may install the models they teach, for all users of this server: `yes`, `no`, or "
        "`auto`, where it listens on this computer alone (`--server.address localhost`) without a proxy.",
    )
    imagenet_url: str = Field(
        "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        description="Where torchvision's ImageNet weights come from, or a mirror; its name holds the file's checksum.",
    )
    imagenet_at_start: Literal["yes", "no"] = Field(
        "yes",
        description="Whether the app fetches ImageNet's model (45 MB) by itself at its first start, in the background: "
        "`yes` or `no`; without a network it goes on with the starter.",
    )
    max_weights_bytes: int = Field(
        MAX_WEIGHTS_BYTES,
        gt=0,
        description="Largest file of model weights accepted; a ResNet18 has 45 MiB, and 2 KiB more for each class.",
    )
    max_upload_bytes: int = Field(
        2048 * MIB, gt=0, description="Largest upload accepted, archive or files: about 6,000 photos of 345 kB each."
    )
    max_entries: int = Field(20_000, gt=0, description="Most files of a stack, images or not.")
    max_entry_bytes: int = Field(
        256 * MIB,
        gt=0,
        description="Largest single file of a stack after decompression; holds any image of max_pixels. A TIFF of many "
        "pages, which is read in parts, may be as large as max_total_bytes.",
    )
    max_total_bytes: int = Field(
        8192 * MIB, gt=0, description="Largest sum of the files in an archive after decompression."
    )
    max_compression_ratio: int = Field(
        200,
        gt=1,
        description="Largest decompressed/compressed ratio of a file in a ZIP, or of a compressed TAR, over 1 MiB; "
        "images hardly compress.",
    )
    max_pixels: int = Field(
        MAX_PIXELS,
        gt=0,
        le=250_000_000,
        description="Most pixels in one image, checked in its header before anything is decoded; at most 250 million.",
    )
    image_memory_bytes: int = Field(
        1024 * MIB,
        ge=64 * MIB,
        description="Memory that images being read may take together; an image that needs more is read alone. Answers "
        "made of them may take a quarter of it more.",
    )
    stack_roots: str = Field(
        "",
        description="Folders of this computer that may be opened in place from the page and the API, separated by "
        "commas; only where it listens on this computer alone (`--server.address localhost`) without a proxy.",
    )
    show_patients: Literal["no", "yes"] = Field(
        "no",
        description="Whether the viewer has a button that tells what a DICOM file says of its patient, `yes` or `no`; "
        "only where the app listens on this computer alone (`--server.address localhost`), without a proxy and "
        "without `AISR_CORS_ORIGINS`. It is not logged, exported or stored.",
    )
    max_stacks: int = Field(256, gt=0, description="Most stacks kept at once, over all sessions and clients.")
    max_stacks_per_client: int = Field(
        64, gt=0, description="Most stacks of one client (one address); an office or a class may share an address."
    )
    max_stored_bytes: int = Field(
        64 * 1024 * MIB, gt=0, description="Most bytes of all stacks together, with what is computed from them."
    )
    max_bytes_per_client: int = Field(16 * 1024 * MIB, gt=0, description="Most bytes of the stacks of one client.")
    min_free_bytes: int = Field(
        512 * MIB, ge=0, description="Disk space left to others: an upload that would take it is refused."
    )
    max_running: int = Field(
        4, gt=0, description="Recognitions that share the cores at once; more would only slow each other down."
    )
    turn_seconds: float = Field(
        1.0, ge=0, description="A recognition that has run for so long gives way to those who wait; then it goes on."
    )
    max_waiting: int = Field(
        128, ge=0, description="Recognitions that wait for a turn; beyond it the answer is 503 at once."
    )
    max_waiting_per_client: int = Field(
        64, ge=0, description="The same for one client (one address); beyond it the answer is 429."
    )
    max_heavy_waiting: int = Field(
        16,
        ge=0,
        description="Calibrations, benchmarks and conversions of models that wait for their turn: one runs at a time, "
        "because each takes 1.5 GB or all cores.",
    )
    max_heavy_waiting_per_client: int = Field(4, ge=0, description="The same for one client (one address).")
    upload_idle_seconds: int = Field(60, gt=0, description="An upload of which nothing arrives for so long is ended.")
    min_bytes_per_second: int = Field(
        8 * 1024,
        gt=0,
        description="Slowest sending and receiving: who falls behind it for `upload_idle_seconds` is cut off. Even a "
        "bad mobile connection has twice as much.",
    )
    max_connections: int = Field(
        1024, gt=0, description="Most connections at once; fewer where the system allows the process fewer open files."
    )
    max_connections_per_client: int = Field(
        256, gt=0, description="The same for one client; a browser opens up to 7, and an office may share an address."
    )
    max_requests: int = Field(
        512,
        gt=0,
        description="Requests of the API that run or wait together; beyond it the answer is 503 at once to "
        "clients that have their equal part of them.",
    )
    uploads_per_minute: int = Field(
        600, gt=0, description="Most uploads of one client in a minute; beyond it the answer is 429."
    )
    recognitions_per_minute: int = Field(
        1_200, gt=0, description="Most requests for predictions of one client in a minute, each of any size."
    )
    requests_per_minute: int = Field(
        24_000,
        gt=0,
        description="Most requests to the API of one client in a minute; a gallery asks for hundreds a second.",
    )
    sessions_per_minute: int = Field(
        300, gt=0, description="Most pages that one client opens in a minute; each is a session that takes memory."
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of the proxies in front, with commas, such as `127.0.0.1,10.0.0.0/8`: "
        "only they are believed in `X-Forwarded-For` and `X-Forwarded-Proto`. Empty, nobody is.",
    )
    allowed_hosts: str = Field(
        "",
        description="Names under which the server may be asked for, separated by commas, such as "
        "`example.org,*.example.org`; empty, any. Keeps pages of other names out that resolve to this server.",
    )
    frame_ancestors: str = Field(
        "",
        description="Web sites that may show the app in a frame, with commas, such as `https://huggingface.co`; "
        "empty, only the app itself.",
    )
    sign_in_attempts: int = Field(
        10, gt=0, description="Wrong passwords of one client after which it must wait for `sign_in_ban_seconds`."
    )
    sign_in_ban_seconds: int = Field(
        900, gt=0, description="How long a client that has tried too many wrong passwords may try no other."
    )
    access_token: str = Field(
        "",
        repr=False,
        description="A secret of at least 16 characters that pages and API ask for; empty, everybody may use them.",
    )
    access_header: str = Field(
        "",
        description="Header with which a proxy in front names who has signed in, such as `X-Forwarded-User`; requests "
        "without it are refused. Only where clients cannot reach the server past that proxy.",
    )
    cors_origins: str = Field(
        "",
        description="Web sites whose pages may call the API from a browser, separated by commas; none by default.",
    )
    stack_ttl_seconds: int = Field(
        2 * 3600, gt=0, description="A stack nobody has used for this long is deleted (seconds)."
    )
    workers: int = Field(
        0, ge=0, description="Threads that decode images; 0 takes one for each CPU this process may use."
    )
    thumbnail_side: int = Field(256, ge=32, le=1024, description="Longest side of a thumbnail, in pixels.")
    batch_size: int = Field(0, ge=0, description="Images per inference call; 0 measures the best one on this machine.")
    max_batch_size: int = Field(256, gt=0, description="Largest batch size a person or program may ask for.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="What is logged: `debug` (also each image that is fetched), `info`, `warning` or `error`.",
    )

    @field_validator("access_token")
    @classmethod
    def _long_enough(cls, token: str) -> str:
        if token and (len(token) < MIN_TOKEN_LENGTH or not token.isascii()):
            raise ValueError(f"expected at least {MIN_TOKEN_LENGTH} ASCII characters: a shorter secret can be guessed")
        return token

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: str) -> str:
        for proxy in split_list(proxies):
            ipaddress.ip_network(proxy)
        return proxies

    @field_validator("stack_roots")
    @classmethod
    def _absolute(cls, roots: str) -> str:
        for root in split_list(roots):
            if not Path(root).is_absolute() or ".." in Path(root).parts:
                raise ValueError("expected whole paths of folders, such as /data/photos")
        return roots

    @property
    def installed_dir(self) -> Path:
        """Folder of the models that people have installed, one folder each."""
        return self.data_dir / "models"

    @property
    def decode_workers(self) -> int:
        """Number of decoding threads (at least 1)."""
        return self.workers or math.ceil(usable_cores())


@cache
def get_settings() -> Settings:
    """The process's settings, read from the environment once."""
    return Settings()


def settings_page() -> str:
    """The page docs/settings.md."""
    return (
        "# Settings\n\n"
        "Every limit and option is an environment variable; a value that makes no sense stops the start and says why.\n"
        "This page is what `aisr settings` prints, and `python -m core.base.settings`.\n\n"
        f"{settings_table()}\n\n"
        "Streamlit's own options, such as `--server.port`, are arguments of `scripts/run.sh`, or environment\n"
        "variables such as `STREAMLIT_SERVER_PORT`. What the app chooses is in `.streamlit/config.toml`, with reasons."
    )


def settings_table() -> str:
    """The settings as a Markdown table."""
    rows = ["| environment variable | default | what it does |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, Path) and default.is_relative_to(PROJECT_ROOT):
            default = default.relative_to(PROJECT_ROOT)
        elif name == "work_dir":
            default = "`aisr-UID` in the system's temporary folder"
        elif name == "data_dir":
            default = "`aisr` in the user's data folder"
        elif isinstance(default, int) and default % MIB == 0 and default:
            default = f"{default} ({default // MIB:,} MiB)"
        rows.append(f"| `AISR_{name.upper()}` | {default if default != '' else 'empty'} | {field.description} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command ``aisr settings``."""
    argparse.ArgumentParser(description="Prints every limit and option.").parse_args(arguments)
    print(settings_page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
