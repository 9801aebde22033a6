"""A person's weights come in through a process that is held to limits, and nothing that is in them costs more."""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

import pytest

from core.base.errors import ModelError, WeightsInvalid
from core.base.settings import PROJECT_ROOT
from core.models import weights
from core.models.architectures import ARCHITECTURES, RESNET18, load_network
from core.models.torchvision_compat import import_torchvision
from core.models.weight_files.networks import CHECKS
from core.models.weights import import_weights, load_weights
from tests.unit.models.weight_files.files import (
    MIB,
    TINY,
    call,
    in_a_row,
    in_zip,
    number,
    pth_bytes,
    safetensors_bytes,
    state,
    storage,
    tensor,
    torch,
)

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def resnet18() -> dict[str, torch.Tensor]:
    """Five classes."""
    made: dict[str, torch.Tensor] = import_torchvision().models.resnet18(num_classes=5).state_dict()
    return made


# --- what fits


@pytest.mark.parametrize("kind", ["zip", "in a row", "safetensors", "half"])
def test_a_resnet18_comes_through_unchanged(tmp_path: Path, resnet18: dict[str, torch.Tensor], kind: str) -> None:
    from safetensors.torch import save

    expected = {name: tensor for name, tensor in resnet18.items() if not name.endswith("num_batches_tracked")}
    if kind == "half":
        expected = {name: tensor.half() for name, tensor in expected.items()}
    source = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    source.write_bytes(
        save(resnet18)
        if kind == "safetensors"
        else pth_bytes({"state_dict": {f"module.{k}": v for k, v in expected.items()}}, as_zip=kind != "in a row")
    )
    assert import_weights(source, tmp_path / "made.safetensors") == 5
    state, classes = load_weights(tmp_path / "made.safetensors")
    assert classes == 5
    assert set(state) == set(expected)
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert (tmp_path / "made.safetensors").read_bytes() == save(expected)


def test_a_checkpoint_from_training_gives_the_very_network(tmp_path: Path) -> None:
    trained = import_torchvision().models.resnet18(num_classes=3)
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in trained.state_dict().items()}}, tmp_path / "w.pth"
    )
    import_weights(tmp_path / "w.pth", tmp_path / "w.safetensors")
    network, classes = load_network(RESNET18, tmp_path / "w.safetensors")
    assert classes == 3
    probe = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(network(probe), trained.eval()(probe))
    assert not network.training


def test_an_installed_file_that_does_not_fit_is_the_models_fault_not_the_persons(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(TINY, tmp_path / "weights.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "weights.safetensors").read_bytes()[:-1])
    for name in ("weights", "cut", "missing"):
        with pytest.raises(ModelError, match="does not hold the weights of a torchvision ResNet18") as caught:
            load_network(RESNET18, tmp_path / f"{name}.safetensors")
        assert type(caught.value) is ModelError


def test_nan_in_one_number_of_eleven_million_is_found(tmp_path: Path, resnet18: dict[str, torch.Tensor]) -> None:
    broken = resnet18["layer3.1.bn2.bias"].clone()
    broken[-1] = float("nan")
    (tmp_path / "w.pth").write_bytes(pth_bytes(resnet18 | {"layer3.1.bn2.bias": broken}))
    with pytest.raises(WeightsInvalid, match=r"layer3\.1\.bn2\.bias holds NaN or infinity"):
        import_weights(tmp_path / "w.pth", tmp_path / "made")


def test_every_architecture_has_a_check_of_its_weights() -> None:
    built = {name for name, one in ARCHITECTURES.items() if one.build is not None}
    assert set(CHECKS) == built | {"any"}, "an imported network has none, and any that torchvision has is one"


def test_a_target_that_cannot_be_written_is_no_fault_of_the_file(
    tmp_path: Path, resnet18: dict[str, torch.Tensor]
) -> None:
    (tmp_path / "w.pth").write_bytes(pth_bytes(resnet18))
    with pytest.raises(OSError, match="No such file") as caught:
        import_weights(tmp_path / "w.pth", tmp_path / "nowhere" / "made")
    assert caught.value.errno == errno.ENOENT


# --- what a stranger's file may cost


# Peaks are asked of the kernel for what is in memory now, since a process inherits the other figure from its parent.
PEAK = "[int(line.split()[1]) * 1024 for line in open('/proc/self/status') if line.startswith('VmHWM')][0]"
WORKER = f"""
import sys
from pathlib import Path
from core.models.weight_files.worker import main
main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
print({PEAK})
"""


def peak_of(source: Path) -> tuple[dict[str, object], int]:
    """What the worker says, and the most memory it had, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, source, source.with_name("made"), "resnet18", str(512 * MIB)],
        cwd=PROJECT_ROOT, env=os.environ | weights._ENVIRONMENT, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    answer, peak = done.stdout.splitlines()
    return json.loads(answer), int(peak)


def a_million_names() -> bytes:
    return safetensors_bytes(
        b"{" + b",".join(b'"%07d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % n for n in range(10**6)) + b"}"
    )


ALLOCATES = call("builtins.bytearray", number(2_300_000_000))
HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "bytearray": (".pth", lambda: in_zip(state(a=ALLOCATES))),
    "four bytearrays": (".pth", lambda: in_zip(state(a=ALLOCATES, b=ALLOCATES, c=ALLOCATES, d=ALLOCATES))),
    "bytearray in the old format": (".pt", lambda: in_a_row(state(a=ALLOCATES), [])),
    "a million names": (".safetensors", a_million_names),
    "storage of a terabyte": (".pth", lambda: in_zip(state(a=tensor(storage(count=2**38), shape=(2**38,))))),
    "view of a terabyte": (".pth", lambda: pth_bytes({"fc.bias": torch.ones(1).expand(2**38)})),
    "nested lists": (".pth", lambda: in_zip(b"\x80\x02" + b"]" * 4 * MIB + b"a" * 4 * MIB)),
    "memo": (".pth", lambda: in_zip(b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", n) for n in range(10**6)))),
    "names": (".pth", lambda: in_zip(b"\x80\x02}(" + b"".join(b"X\4\0\0\0%04xN" % n for n in range(60_000)) + b"u.")),
    "a header of lists": (".safetensors", lambda: safetensors_bytes(b"[" + b"[]," * 340_000 + b"[]]")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_takes_more_memory_than_its_size_explains(tmp_path: Path, name: str) -> None:
    suffix, made = HOSTILE[name]
    (tmp_path / "empty.pth").write_bytes(b"")
    source = tmp_path / f"weights{suffix}"
    source.write_bytes(made())
    _, idle = peak_of(tmp_path / "empty.pth")
    answer, peak = peak_of(source)
    assert str(answer["message"]).startswith("weights")
    assert peak - idle < 64 * MIB
    assert not (tmp_path / "made").exists()


# A server without PyTorch, as it runs; its own peak before and after.
SERVER = f"""
import sys
from pathlib import Path
from core.base.errors import WeightsInvalid
from core.models.weight_files.networks import CHECKS
from core.models.weights import import_weights
def peak(): return {PEAK}
before = peak()
for name in sys.argv[1:]:
    try:
        import_weights(Path(name), Path(name + ".made"))
    except WeightsInvalid as error:
        print(error)
print(peak() - before)
print(sorted({{"torch", "torchvision", "safetensors"}} & set(sys.modules)))
"""


def test_the_server_itself_neither_grows_nor_loads_pytorch(tmp_path: Path, resnet18: dict[str, torch.Tensor]) -> None:
    for name in ("bytearray", "four bytearrays", "a million names"):
        suffix, made = HOSTILE[name]
        (tmp_path / f"{name}{suffix}").write_bytes(made())
    (tmp_path / "good.pth").write_bytes(pth_bytes(resnet18))
    done = subprocess.run(
        [sys.executable, "-c", SERVER, *sorted(map(str, tmp_path.iterdir()))],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    *refused, grown, loaded = done.stdout.splitlines()
    assert [line.partition(" ")[0] for line in refused] == ["a", "bytearray.pth", "four"], "good.pth is read"
    assert int(grown) < 4 * MIB
    assert loaded == "[]"


# --- the limits hold whatever the reader does


def reader(does: str, **seconds: int) -> tuple[str, ...]:
    """The process's command, with which it does this instead of reading a file, for at most so many seconds."""
    lines = [
        "import os, sys, time",
        "from pathlib import Path",
        "from core.models.weight_files import worker",
        "def convert(source, target, network, max_bytes):",
        f"    {does}",
        "worker.convert_weights = convert",
        f"seconds = worker.Seconds(**{seconds})",
        "worker.main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), seconds=seconds)",
    ]
    return sys.executable, "-c", "\n".join(lines)


@pytest.mark.parametrize(
    ("does", "seconds"),
    [
        ("bytearray(10**9)", {}),
        ("[bytearray(10**6) for _ in range(1000)]", {}),
        ("while True: pass", {"cpu": 1}),
        ("time.sleep(3600)", {"wall": 1}),
        ("os.abort()", {}),
        ("os._exit(0)", {}),
        ("raise RuntimeError", {}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_reader_that_goes_wild_ends_and_the_file_is_refused(
    tmp_path: Path, does: str, seconds: dict[str, int]
) -> None:
    (tmp_path / "weights.pth").write_bytes(bytes(100))
    with pytest.raises(
        WeightsInvalid, match=r"weights\.pth takes more (time or )?memory than a file of its size should"
    ):
        import_weights(tmp_path / "weights.pth", tmp_path / "made", reader=reader(does, **seconds))


def test_memory_that_the_file_explains_is_there(tmp_path: Path) -> None:
    """The same 100 MB are too much for 100 bytes and fine for 45 MB."""
    source = tmp_path / "weights.pth"
    reads = reader("bytearray(10**8); raise worker.WeightsInvalid('was read')")
    source.write_bytes(bytes(100))
    with pytest.raises(WeightsInvalid, match="more memory"):
        import_weights(source, tmp_path / "made", reader=reads)
    os.truncate(source, 45 * MIB)
    with pytest.raises(WeightsInvalid, match="was read"):
        import_weights(source, tmp_path / "made", reader=reads)


def test_no_more_is_written_than_may_be_read(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(bytes(100))
    writes = reader("target.write_bytes(bytes(9 * 2**20))")
    with pytest.raises(OSError, match="File too large") as caught:
        import_weights(tmp_path / "weights.pth", tmp_path / "made", max_bytes=MIB, reader=writes)
    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "made").stat().st_size <= 2 * MIB


def test_what_the_process_wrote_is_checked_and_not_believed(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(bytes(100))
    writes = reader("target.write_bytes(bytes(100))")
    with pytest.raises(WeightsInvalid, match="made"):
        import_weights(tmp_path / "weights.pth", tmp_path / "made", reader=writes)


def test_many_files_at_once_take_turns(tmp_path: Path) -> None:
    def log(word: str) -> str:
        return f"print('{word}', time.monotonic(), file=target.with_suffix('.log').open('a'))"

    until_told = "while not source.with_name('go').exists(): time.sleep(0.01)"
    waits = "\n    ".join(["target.touch()", log("started"), until_told, log("ended")])
    command = reader(f"{waits}\n    raise worker.WeightsInvalid('was read')")
    (tmp_path / "weights.pth").write_bytes(bytes(100))

    def add(number: int) -> None:
        with pytest.raises(WeightsInvalid, match="was read"):
            import_weights(tmp_path / "weights.pth", tmp_path / f"made{number}", reader=command)

    with ThreadPoolExecutor(4) as visitors:
        try:
            added = [visitors.submit(add, number) for number in range(4)]
            wait_for(lambda: len(list(tmp_path.glob("made[0-9]"))) == 2)
            for _ in range(2):  # as long as another two would take to start
                subprocess.run(
                    [sys.executable, "-c", "import core.models.weight_files.worker"], cwd=PROJECT_ROOT, check=True
                )
        finally:
            (tmp_path / "go").touch()
        for each in added:
            each.result()
    entries = sorted(
        (float(when), 1 if word == "started" else -1)
        for path in tmp_path.glob("made*.log")
        for word, when in map(str.split, path.read_text().splitlines())
    )
    assert len(entries) == 8
    assert max(accumulate(change for _, change in entries)) == 2, "never three at a time"


# --- it ends with who waits for it

WAITS = """
import sys
from pathlib import Path
from core.models import weights
reader = (sys.executable, "-c", sys.argv[2])
weights.import_weights(Path(sys.argv[1]), Path(sys.argv[1] + ".made"), reader=reader)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_process_ends_with_the_server(tmp_path: Path, how: signal.Signals) -> None:
    source, told = tmp_path / "weights.pth", tmp_path / "pid"
    source.write_bytes(bytes(100))
    waits = reader(f"Path({str(tmp_path / 'draft')!r}).write_text(str(os.getpid())); "
                        f"os.rename({str(tmp_path / 'draft')!r}, {str(told)!r}); time.sleep(3600)")  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(source), waits[2]], cwd=PROJECT_ROOT, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(told.exists)
        process = int(told.read_text())
        server.send_signal(how)
        server.wait()
        wait_for(lambda: not runs(process))
    finally:
        server.kill()
        server.wait()


def runs(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def wait_for(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)
