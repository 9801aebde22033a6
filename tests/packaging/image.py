"""The container image without a container engine: its files, its environment, and a sandbox that is as closed.

bubblewrap gives a process what ``docker run --read-only --tmpfs /tmp`` would: user 1000 without any privilege, a root
file system that cannot be written, one tmpfs, and the environment of the Dockerfile only. The packages are those of the
tests' own environment, so nothing is downloaded twice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from docker.utils import exclude_paths
from dockerfile_parse import DockerfileParser

from core.base.settings import PROJECT_ROOT

USER = 1000


def dockerfile() -> DockerfileParser:
    """The Dockerfile; ``envs`` and ``baseimage`` are those of its last stage."""
    return DockerfileParser(str(PROJECT_ROOT / "Dockerfile"), env_replace=False)


def environment() -> dict[str, str]:
    """The variables that the Dockerfile's last stage sets, with the PATH that its base image would add."""
    return {**dockerfile().envs, "PATH": "/app/.venv/bin:/usr/local/bin:/usr/bin:/bin"}


def context_files() -> list[str]:
    """What ``COPY . .`` copies, by Docker's own reading of .dockerignore."""
    patterns = [line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
    found = exclude_paths(str(PROJECT_ROOT), patterns, dockerfile="Dockerfile")
    return sorted(name for name in found if (PROJECT_ROOT / name).is_file())


def copy_context(target: Path) -> None:
    """The folder /app of the image, with the permissions that the last COPY gives: readable by all, written by none."""
    for name in context_files():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / name, path)
        path.chmod(0o555 if os.access(path, os.X_OK) else 0o444)
    (target / ".venv").mkdir()


@cache
def why_no_sandbox() -> str:
    """The reason why ``sandboxed`` commands cannot run on this machine; empty where they can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian: apt install bubblewrap)"
    done = subprocess.run([*_walls(), "true"], capture_output=True, text=True, check=False)
    return f"bubblewrap cannot work here: {done.stderr.strip()}" if done.returncode else ""


def sandboxed(
    app: Path, data: Path, command: Sequence[str], variables: Mapping[str, str], *, writable: bool = False
) -> list[str]:
    """The command line that runs ``command`` in the image's /app, with ``data`` as its volume.

    ``writable``: /app can be written, as in the stage that builds it.
    """
    walls, user = _walls(), str(USER)
    become: list[str] = []
    if os.geteuid() != 0:
        walls += ["--unshare-user", "--uid", user, "--gid", user]
    elif not writable:
        os.chown(data, USER, USER)
        # Really another user, not one that is only called 1000: the permissions of files count.
        become = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs"]
    walls += ["--bind" if writable else "--ro-bind", str(app), "/app", "--ro-bind", sys.prefix, "/app/.venv"]
    walls += ["--bind", str(data), "/data", "--remount-ro", "/"]
    settings = [part for name, value in variables.items() for part in ("--setenv", name, value)]
    return [*walls, "--clearenv", *settings, "--chdir", "/app", *become, *command]


def _walls() -> list[str]:
    walls = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc"]
    for name in ("/bin", "/sbin", "/lib", "/lib64"):
        path = Path(name)
        if path.is_symlink():
            walls += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            walls += ["--ro-bind", name, name]
    for path in (Path("/usr"), Path("/etc"), Path(sys.base_prefix)):
        for parent in [folder for folder in reversed(path.parents) if folder not in (Path("/"), Path("/usr"))]:
            walls += ["--perms", "0755", "--dir", str(parent)]  # Python may live below a home that others cannot enter
        if path.parent != Path("/usr"):
            walls += ["--ro-bind", str(path), str(path)]
    return [*walls, "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
