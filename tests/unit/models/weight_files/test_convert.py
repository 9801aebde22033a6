"""Strangers' files of weights: every usual way to save them is read, nothing is run, and what lies is refused."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from core.base.errors import WeightsInvalid
from core.models.weight_files import pickles, safetensors
from core.models.weight_files.convert import convert_weights
from core.models.weight_files.networks import CHECKS
from core.models.weight_files.tensors import MAX_TENSORS
from tests.unit.models.weight_files.files import (
    MIB,
    TINY,
    Runs,
    call,
    in_a_row,
    in_zip,
    number,
    pth_bytes,
    safetensors_bytes,
    state,
    storage,
    tensor,
    text,
    torch,
    zip_of,
)

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore:.torch.load")]


@pytest.fixture(autouse=True)
def any_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose weights may have any names and shapes."""
    monkeypatch.setitem(CHECKS, "any", len)


def read(folder: Path, data: bytes, suffix: str = ".pth", max_bytes: int = 512 * MIB) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    path, target = folder / f"weights{suffix}", folder / "made.safetensors"
    path.write_bytes(data)
    target.unlink(missing_ok=True)
    convert_weights(path, target, "any", max_bytes)
    made: dict[str, torch.Tensor] = load_file(target)
    return made


def refuses(folder: Path, data: bytes, suffix: str = ".pth", max_bytes: int = 512 * MIB) -> str:
    with pytest.raises(WeightsInvalid) as caught:
        read(folder, data, suffix, max_bytes)
    message = str(caught.value)
    assert message.startswith("weights")
    assert message.endswith(".")
    assert len(message) < 300
    assert str(folder) not in message
    assert message.isprintable()
    return message


def assert_tiny(state: dict[str, torch.Tensor]) -> None:
    assert {name: tensor.tolist() for name, tensor in state.items()} == {
        name: tensor.tolist() for name, tensor in TINY.items()
    }


# --- what people have


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".PTH"])
@pytest.mark.parametrize("as_zip", [True, False])
def test_what_torch_saves_is_read(tmp_path: Path, suffix: str, as_zip: bool) -> None:
    assert_tiny(read(tmp_path, pth_bytes(TINY, as_zip), suffix))


def test_safetensors_are_read(tmp_path: Path) -> None:
    from safetensors.torch import save

    assert_tiny(read(tmp_path, save(TINY, {"format": "pt"}), ".safetensors"))


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in TINY.items()}


def after_a_step() -> dict[str, object]:
    """What optimizers and schedulers save."""
    layer = torch.nn.Linear(3, 2)
    adam = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(3)).sum().backward()
    adam.step()
    steps = torch.optim.lr_scheduler.MultiStepLR(adam, [3, 5])
    return {"optimizer": adam.state_dict(), "scheduler": steps.state_dict()}


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(OrderedDict(TINY), id="ordered"),
        pytest.param({name: torch.nn.Parameter(tensor) for name, tensor in TINY.items()}, id="parameters"),
        pytest.param({"epoch": 3, "arch": "resnet18", "state_dict": TINY, "optimizer": {"lr": 0.1}}, id="state_dict"),
        pytest.param({"epoch": 3, "model_state_dict": TINY, "loss": 0.5}, id="model_state_dict"),
        pytest.param({"model": TINY}, id="model"),
        pytest.param({"model": {"state_dict": TINY}}, id="twice"),
        pytest.param(prefixed("module."), id="DataParallel"),
        pytest.param(prefixed("model."), id="Lightning"),
        pytest.param(prefixed("_orig_mod."), id="compiled"),
        pytest.param(prefixed("model.module._orig_mod."), id="three prefixes"),
        pytest.param({"state_dict": prefixed("module.")}, id="wrapping and prefix"),
        pytest.param(TINY | {"bn1.num_batches_tracked": torch.tensor(7)}, id="batch counters"),
        pytest.param({"model": TINY, "best": (None, True, -1, 2**40, [0.5, [1]])}, id="plain values beside"),
        pytest.param({"model": TINY} | after_a_step(), id="an optimizer's state beside"),
        pytest.param({"model": TINY, "seen": {1, 2}, "of": Counter("abc"), "raw": b"\xff"}, id="containers beside"),
        pytest.param(
            {"model": TINY, "on": torch.device("cpu"), "as": torch.float16, "size": torch.Size([2])}, id="torch"
        ),
    ],
)
def test_usual_wrappings_are_taken_off(tmp_path: Path, content: object, as_zip: bool) -> None:
    assert_tiny(read(tmp_path, pth_bytes(content, as_zip)))


def test_a_state_dict_with_its_modules_versions_is_read(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    layer.load_state_dict({"weight": TINY["fc.weight"], "bias": TINY["fc.bias"]})
    assert layer.state_dict()._metadata
    assert_tiny(read(tmp_path, pth_bytes(torch.nn.ModuleDict({"fc": layer}).state_dict())))


def test_a_file_of_python_2_is_read(tmp_path: Path) -> None:
    numbers = struct.pack("<2f", 1, 2)
    pair = b"]q\x00(U\x07fc.biasq\x01" + tensor() + b"e"
    pickled = b"\x80\x02ccollections\nOrderedDict\n(](" + pair + b"etR."
    assert read(tmp_path, in_a_row(pickled, ["0"], struct.pack("<q", 2) + numbers))["fc.bias"].tolist() == [1, 2]


def test_a_prefix_that_only_some_names_have_belongs_to_them(tmp_path: Path) -> None:
    content = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert set(read(tmp_path, pth_bytes(content))) == set(content)


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_layout_and_float_type_comes_back_as_it_was(tmp_path: Path, dtype: torch.dtype, as_zip: bool) -> None:
    whole = torch.arange(48.0).to(dtype).reshape(2, 3, 4, 2)
    rows = torch.arange(20.0).to(dtype).reshape(4, 5)
    content = {
        "plain": whole,
        "channels last": whole.contiguous(memory_format=torch.channels_last),
        "transposed": rows.T,
        "part": rows[1:3, 2:],
        "every second": rows[:, ::2],
        "the same storage": rows,
        "single": torch.tensor(1.5, dtype=dtype),
        "one": torch.ones(1, 1, dtype=dtype),
    }
    made = read(tmp_path, pth_bytes(content, as_zip))
    assert all(torch.equal(made[name], content[name]) and made[name].dtype == dtype for name in content)


def test_equal_weights_give_equal_bytes_whatever_way_they_came(tmp_path: Path) -> None:
    from safetensors.torch import save

    for data, suffix in [
        (pth_bytes(TINY), ".pth"),
        (pth_bytes({"model": dict(reversed(prefixed("module.").items()))}, as_zip=False), ".pt"),
        (save(TINY), ".safetensors"),
    ]:
        read(tmp_path, data, suffix)
        assert (tmp_path / "made.safetensors").read_bytes() == save(TINY)


def holds_itself() -> object:
    content: dict[str, object] = {}
    content["model"] = content
    return content


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({}, id="empty"),
        pytest.param({"state_dict": {}}, id="wrapped and empty"),
        pytest.param({"model": {"a": 1}}, id="no tensors"),
        pytest.param(TINY | {"epoch": 3}, id="something among the tensors"),
        pytest.param({1: torch.ones(1)}, id="numbers for names"),
        pytest.param([torch.ones(1)], id="list"),
        pytest.param(torch.ones(1), id="tensor"),
        pytest.param(None, id="nothing"),
        pytest.param(holds_itself(), id="holds itself"),
    ],
)
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    assert "state_dict()" in refuses(tmp_path, pth_bytes(content))


@pytest.mark.parametrize("suffix", [".onnx", ".pkl", ".bin", "", ".pth.zip"])
def test_other_kinds_of_file_are_not_even_opened(tmp_path: Path, suffix: str) -> None:
    assert ".safetensors, .pth or .pt" in refuses(tmp_path, pth_bytes(TINY), suffix)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    for name in ("missing.pth", "missing.safetensors", "folder.pth"):
        with pytest.raises(WeightsInvalid, match=name):
            convert_weights(tmp_path / name, tmp_path / "made", "any", MIB)
    assert not (tmp_path / "made").exists()


# --- nothing is run


@pytest.mark.parametrize("wrap", [bytes, in_zip, lambda pickled: in_a_row(pickled, [])], ids=["bare", "zip", "old"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("way", ["os.system", "exec", "open", "in a value", "as a key"])
def test_code_in_a_pickle_is_never_run(tmp_path: Path, wrap: Callable[[bytes], bytes], protocol: int, way: str) -> None:
    marker = tmp_path / "marker"
    touch = Runs(os.system, f"touch '{marker}'")
    content: object = {
        "os.system": touch,
        "exec": Runs(exec, f"open({str(marker)!r}, 'w')"),
        "open": Runs(open, str(marker), "w"),
        "in a value": {"fc.bias": touch},
        "as a key": {touch: 1},
    }[way]
    pickled = pickle.dumps(content, protocol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        pickle.loads(pickled)  # noqa: S301 - shows that the payload works
    assert marker.exists()
    marker.unlink()
    assert "never run" in refuses(tmp_path, wrap(pickled))
    assert not marker.exists()


def test_no_unpickler_ever_sees_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpickle(*arguments: object, **options: object) -> None:
        raise AssertionError("unpickled")

    files = [pth_bytes(TINY, as_zip) for as_zip in (True, False)]
    for module, name in [(pickle, "loads"), (pickle, "load"), (pickle, "Unpickler"), (torch, "load")]:
        monkeypatch.setattr(module, name, unpickle)
    for data in files:
        assert_tiny(read(tmp_path, data))


@pytest.mark.parametrize(
    "name",
    [
        "builtins.bytearray",
        "builtins.complex",
        "builtins.eval",
        "builtins.getattr",
        "numpy._core.multiarray._reconstruct",
        "torch.zeros",
        "torch.Tensor",
        "torch.FloatStorage.from_file",
        "torch._utils._rebuild_device_tensor_from_numpy",
        "collections.OrderedDict.fromkeys",
        "collections.defaultdict",
        "core.models.weight_files.pickles._OTHER",
    ],
)
@pytest.mark.parametrize("place", ["among the tensors", "beside them"])
def test_a_name_that_no_weights_need_is_refused_and_shown(tmp_path: Path, name: str, place: str) -> None:
    foreign = call(name, number(2_000_000_000))
    beside = state(**{"fc.bias": tensor()}).removeprefix(b"\x80\x02").removesuffix(b".")
    pickled = state(**{"fc.bias": foreign}) if place == "among the tensors" else state(model=beside, junk=foreign)
    for data in (in_zip(pickled), in_a_row(pickled, [])):
        assert f"({name}), which is never run" in refuses(tmp_path, data)


def test_a_harmless_name_makes_nothing_either(tmp_path: Path) -> None:
    """``set`` of a list of lists fails, ``torch.device`` of a number too: neither is called."""
    beside = state(**{"fc.bias": tensor()}).removeprefix(b"\x80\x02").removesuffix(b".")
    junk = call("builtins.set", b"](]]]e"), call("torch.device", number(2**60)), call("torch.Size", text("x"))
    pickled = state(model=beside, **dict(zip("abc", junk, strict=True)))
    assert set(read(tmp_path, in_zip(pickled))) == {"fc.bias"}


@pytest.mark.parametrize("names", ["os\nsys\x1b[2Jtem", "os\n" + "x" * 10_000, "os\n\xe9"])
def test_a_foreign_name_cannot_spoil_the_sentence(tmp_path: Path, names: str) -> None:
    refuses(tmp_path, in_zip(b"\x80\x02c" + names.encode("latin-1") + b"\n."))


def test_a_whole_pickled_network_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    message = refuses(tmp_path, pth_bytes(torch.nn.Linear(2, 2)))
    assert "torch.save(model.state_dict(), 'weights.pth')" in message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), path)
    refuses(tmp_path, path.read_bytes())


@pytest.mark.parametrize(
    "made",
    [
        lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        lambda: torch.eye(2).to_sparse(),
        lambda: torch.ones(2, device="meta"),
    ],
    ids=["quantized", "sparse", "meta"],
)
@pytest.mark.filterwarnings("ignore")  # of torch, about making such tensors
def test_special_tensors_are_refused_with_what_to_save_instead(
    tmp_path: Path, made: Callable[[], torch.Tensor]
) -> None:
    assert "plain numbers" in refuses(tmp_path, pth_bytes({"fc.weight": made()}))


# --- opcodes: what one that means nothing, or too many, come to


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b".", id="stop without a value"),
        pytest.param(b"\x80\x02u.", id="items without a mark"),
        pytest.param(b"\x80\x02}(Nu.", id="a key without a value"),
        pytest.param(b"\x80\x02}s.", id="an item of nothing"),
        pytest.param(b"\x80\x02h\x07.", id="recalls what was never kept"),
        pytest.param(b"\x80\x02q\x07.", id="keeps nothing"),
        pytest.param(b"\x80\x02R.", id="calls nothing"),
        pytest.param(b"\x80\x02NNR.", id="calls None"),
        pytest.param(b"\x80\x02ccollections\nOrderedDict\nNR.", id="arguments that are none"),
        pytest.param(b"\x80\x02ccollections\nOrderedDict\n(K\x01tR.", id="a dictionary of a number"),
        pytest.param(b"\x80\x02ccollections\nOrderedDict\n(X\x02\0\0\0abtR.", id="a dictionary of letters"),
        pytest.param(b"\x80\x02Na.", id="appends to None"),
        pytest.param(b"\x80\x02NNb.", id="attributes of None"),
        pytest.param(b"\x80\x02NQ.", id="a storage that is None"),
        pytest.param(b"\x80\x02(\x85.", id="a mark in a tuple"),
        pytest.param(b"\x80\x02N\x86.", id="half a pair"),
        pytest.param(b"\x80\x02X\xff\xff\xff\x7f.", id="text that never comes"),
        pytest.param(b"\x80\x02\x8d" + b"\xff" * 8 + b".", id="endless text that never comes"),
        pytest.param(b"\x80\x02\x8e" + b"\xff" * 8 + b".", id="endless bytes that never come"),
        pytest.param(b"\x80\x02\x96" + struct.pack("<Q", 2**31) + b".", id="a bytearray that never comes"),
        pytest.param(b"I" + b"9" * 100_000 + b"\n.", id="a number of 100,000 digits"),
        pytest.param(b"\x80\x02" + b"\x8b" + struct.pack("<I", 100_000) + b"\x7f" * 100_000 + b".", id="LONG4"),
        pytest.param(b"\x80\x02}((ttNu.", id="a tuple for a key"),
        pytest.param(b"\x80\x02}(" + number(2**61 - 1) + b"Nu.", id="a key that collides with 0"),
        pytest.param(b"\x80\x02]2a.", id="a list in itself, by DUP"),
        pytest.param(b"\x80\x02\x82\x01.", id="extension registry"),
        pytest.param(b"\x80\x02cos\nsystem\n)\x81.", id="NEWOBJ"),
        pytest.param(b"(i__main__\nX\n.", id="INST"),
        pytest.param(b"\x80\x05\x97.", id="buffers from outside"),
        pytest.param(state(a=tensor(function="torch._utils._rebuild_parameter")), id="a parameter of a storage"),
        pytest.param(state(a=call("torch._utils._rebuild_tensor_v2")), id="a tensor of nothing"),
        pytest.param(state(a=call("torch.FloatStorage", number(10**12))), id="a storage that is called"),
        pytest.param(state(a=storage("Float", count=-1)), id="a storage below zero"),
        pytest.param(state(a=storage("Untyped")), id="a storage of unknown numbers"),
        pytest.param(state(a=storage(key=number(0))), id="a storage called by a number"),
        pytest.param(state(a=tensor(), b=tensor(storage(count=1))), id="one storage of two sizes"),
        pytest.param(state(a=tensor(), b=tensor(storage("Half"))), id="one storage of two types"),
    ],
)
def test_opcodes_without_a_meaning_are_refused(tmp_path: Path, pickled: bytes) -> None:
    refuses(tmp_path, in_zip(pickled))
    refuses(tmp_path, in_a_row(pickled, ["0"], struct.pack("<q", 2) + bytes(8)))


MANY = pickles.MAX_OPCODES


@pytest.mark.parametrize(
    ("pickled", "says"),
    [
        pytest.param(b"\x80\x02" + b"]" * MANY + b".", "far more", id="lists"),
        pytest.param(b"\x80\x02" + b"(" * MANY + b".", "far more", id="marks"),
        pytest.param(
            b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", n) for n in range(MANY)) + b".", "far more", id="memo"
        ),
        pytest.param(b"\x80\x02)" + b"\x85" * (MANY - 9) + b".", "state_dict", id="nested tuples"),
        pytest.param(
            b"\x80\x02" + b"]" * (MANY // 2 - 9) + b"a" * (MANY // 2 - 10) + b".", "state_dict", id="nested lists"
        ),
        pytest.param(
            b"\x80\x02)q\x00" + b"h\x00h\x00\x86q\x00" * (MANY // 4 - 9) + b".", "state_dict", id="tuples that double"
        ),
        pytest.param(
            b"\x80\x02](" + b"]N\x86" * 60_000 + b"eq\x00" + b"ccollections\nOrderedDict\nh\x00\x85R" * 9 + b".",
            "never run",
            id="dictionaries of keys that are lists",
        ),
        pytest.param(
            b"\x80\x02](" + b"K\x00N\x86" * 40_000 + b"eq\x00" + b"ccollections\nOrderedDict\nh\x00\x85R" * 9 + b".",
            "far more",
            id="one long list made into many dictionaries",
        ),
        pytest.param(b"\x80\x02" + b"X\x00\x00\x00\x00" * (MANY + 1) + b".", "far more", id="strings"),
        pytest.param(b"\x80\x02" + text("x" * pickles.MAX_PICKLE_BYTES) + b".", "far more", id="a long string"),
    ],
)
def test_opcodes_are_counted(tmp_path: Path, pickled: bytes, says: str) -> None:
    assert says in refuses(tmp_path, in_zip(pickled))


# --- numbers that are not there


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(tensor(storage(count=2**40), shape=(2**40,)), "another size", id="a storage of terabytes"),
        pytest.param(tensor(storage(count=2**62)), "never run", id="a storage of more bytes than there are"),
        pytest.param(tensor(storage(count=1)), "another size", id="a storage shorter than its file"),
        pytest.param(tensor(storage("Double")), "another size", id="wider numbers than in its file"),
        pytest.param(tensor(storage(key=text("7"))), "another size", id="a storage that is not there"),
        pytest.param(tensor(storage(key=text("../data.pkl"))), "another size", id="a storage elsewhere"),
        pytest.param(tensor(shape=(3,)), "not in the file", id="longer than its storage"),
        pytest.param(tensor(offset=1), "not in the file", id="begins too late"),
        pytest.param(tensor(offset=2**62), "not in the file", id="begins nowhere"),
        pytest.param(tensor(offset=-1), "never run", id="begins before it begins"),
        pytest.param(tensor(strides=(2,)), "not in the file", id="strides beyond the end"),
        pytest.param(tensor(strides=(-1,)), "shape is none", id="strides backwards"),
        pytest.param(tensor(strides=(1, 1)), "not in the file", id="more strides than sizes"),
        pytest.param(tensor(shape=(-2,)), "shape is none", id="a size below zero"),
        pytest.param(tensor(shape=(2**62, 2**62), strides=(1, 1)), "not in the file", id="sizes that overflow"),
        pytest.param(tensor(shape=(2**200,)), "shape is none", id="a size of 200 bits"),
        pytest.param(tensor(shape=(1,) * 100, strides=(1,) * 100), "100 dimensions", id="a hundred dimensions"),
        pytest.param(tensor(shape=(2**40,), strides=(0,)), "512.0 MiB", id="one number as a trillion"),
        pytest.param(tensor(shape=(2, 2), strides=(0, 1)), "repeat numbers", id="a row twice"),
        pytest.param(tensor(shape=(2, 2), strides=(0, 0)), "repeat numbers", id="one number four times"),
    ],
)
def test_a_tensor_that_lies_about_its_numbers_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    pickled = state(**{"fc.bias": content})
    assert says in refuses(tmp_path, in_zip(pickled))
    refuses(tmp_path, in_a_row(pickled, ["0"], struct.pack("<q2f", 2, 1, 2)))


@pytest.mark.parametrize("count", [10**6, 10**12])
def test_one_number_seen_as_a_million_counts_as_a_million(tmp_path: Path, count: int) -> None:
    data = pth_bytes({"fc.bias": torch.ones(1).expand(count)})
    assert len(data) < 10_000
    assert "1.0 MiB" in refuses(tmp_path, data, max_bytes=MIB)


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(b"", id="no numbers"),
        pytest.param(struct.pack("<q", 2), id="only their count"),
        pytest.param(struct.pack("<qf", 2, 1), id="half of them"),
        pytest.param(struct.pack("<q2f", -1, 1, 2), id="a count below zero"),
        pytest.param(struct.pack("<q2f", 2**40, 1, 2), id="another count"),
    ],
)
@pytest.mark.parametrize("keys", [["0"], ["0", "0"], ["1"], [], ["0"] * (MAX_TENSORS + 1), "0", [["0"]], None])
def test_numbers_in_a_row_that_are_not_as_listed_are_refused(tmp_path: Path, numbers: bytes, keys: list[str]) -> None:
    refuses(tmp_path, in_a_row(state(**{"fc.bias": tensor()}), keys, numbers))


def test_a_machine_with_another_order_of_bytes_is_named(tmp_path: Path) -> None:
    good = in_a_row(state(**{"fc.bias": tensor()}), ["0"], struct.pack("<q2f", 2, 1, 2))
    read(tmp_path, good)
    assert "order of bytes" in refuses(tmp_path, good.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89"))
    entries = {"a/data.pkl": state(**{"fc.bias": tensor()}), "a/byteorder": b"big", "a/data/0": bytes(8)}
    assert "order of bytes" in refuses(tmp_path, zip_of(entries))
    assert read(tmp_path, zip_of(entries | {"a/byteorder": b"little"}))["fc.bias"].tolist() == [0, 0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("as_zip", [True, False])
def test_one_number_that_is_none_is_found(tmp_path: Path, value: float, dtype: torch.dtype, as_zip: bool) -> None:
    values = torch.zeros(1000, dtype=dtype)
    values[789] = value
    with pytest.raises(WeightsInvalid, match=r"fc.bias holds NaN or infinity"):
        read(tmp_path, pth_bytes({"a": torch.ones(2), "fc.bias": values}, as_zip))


# --- ZIPs


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(*arguments: object, **options: object) -> None:
        raise AssertionError("unpacked")

    bomb = zip_of({"a/data.pkl": state(**{"fc.bias": tensor()}), "a/data/0": bytes(20 * MIB)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < MIB
    monkeypatch.setattr(zipfile.ZipFile, "open", unpack)
    assert "compressed" in refuses(tmp_path, bomb)


GOOD = [("a/data.pkl", state(**{"fc.bias": tensor()})), ("a/data/0", bytes(8))]


def directory_of(data: bytes) -> int:
    return data.index(b"PK\x01\x02")


def patched(data: bytes, place: int, raw: bytes) -> bytes:
    return data[:place] + raw + data[place + len(raw) :]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        pytest.param(
            lambda: zip_of([*GOOD, ("a/data/1", bytes(8))]).replace(b"data/1", b"data/0"), "overlap", id="twice"
        ),
        pytest.param(lambda: zip_of([(f"a/{n}", b"") for n in range(5_000)]), "5,000 parts", id="thousands of parts"),
        pytest.param(lambda: zip_of([("a/" + "x" * 60_000 + str(n), b"") for n in range(20)]), "far more", id="names"),
        pytest.param(lambda: zip_of([("b/data.txt", b""), *GOOD]), "without weights", id="another folder first"),
        pytest.param(lambda: zip_of([("a.txt", b"")]), "without weights", id="any ZIP"),
        pytest.param(lambda: zip_of([]), "damaged", id="an empty ZIP"),
        pytest.param(
            lambda: zip_of([("a/data.pkl", bytes(pickles.MAX_PICKLE_BYTES + 1))]), "far more", id="a long pickle"
        ),
        pytest.param(
            lambda: patched(zip_of(GOOD), directory_of(zip_of(GOOD)) + 42, struct.pack("<I", 2**31)),
            "not where",
            id="a part behind the end",
        ),
        pytest.param(
            lambda: patched(zip_of(GOOD), directory_of(zip_of(GOOD)) + 20, struct.pack("<II", 2**31, 2**31)),
            "overlap",
            id="a part longer than the file",
        ),
        pytest.param(
            lambda: patched(zip_of(GOOD), directory_of(zip_of(GOOD)) + 8, b"\x01\x00"), "encrypted", id="encrypted"
        ),
        pytest.param(
            lambda: patched(zip_of(GOOD), directory_of(zip_of(GOOD)) + 24, struct.pack("<I", 2**31)),
            "compressed",
            id="two sizes",
        ),
        pytest.param(
            lambda: zip_of(GOOD)[:-10] + struct.pack("<I", 2**31 - 1) + zip_of(GOOD)[-6:],
            "damaged",
            id="directory size",
        ),
    ],
)
def test_zips_that_lie_are_refused(tmp_path: Path, made: Callable[[], bytes], says: str) -> None:
    read(tmp_path, zip_of(GOOD))
    assert says in refuses(tmp_path, made())


def test_bytes_that_count_for_two_parts_are_refused(tmp_path: Path) -> None:
    data = zip_of([*GOOD, ("a/data/1", bytes(8))])
    last = data.rindex(b"PK\x01\x02")
    first = struct.pack("<I", data.index(b"PK\x03\x04", 40))  # where a/data/0 is
    assert "overlap" in refuses(tmp_path, patched(data, last + 42, first))


# --- safetensors

GOOD_HEADER = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(safetensors_bytes(GOOD_HEADER, bytes(8), length=2**63), id="header longer than anything"),
        pytest.param(safetensors_bytes(GOOD_HEADER, bytes(8), length=10**7), id="header longer than the file"),
        pytest.param(safetensors_bytes(GOOD_HEADER, bytes(8), length=3), id="header cut short"),
        pytest.param(safetensors_bytes(b"{not json", bytes(8)), id="header no JSON"),
        pytest.param(safetensors_bytes(b"[" * 100_000, bytes(8)), id="header deeply nested"),
        pytest.param(safetensors_bytes(b"9" * 100_000), id="header one number"),
        pytest.param(safetensors_bytes(b"\xff\xfe{\x00}\x00"), id="header not UTF-8"),
        pytest.param(safetensors_bytes([1]), id="header a list"),
        pytest.param(safetensors_bytes({"a": None}), id="no entry"),
        pytest.param(safetensors_bytes({"a": {}}), id="empty entry"),
        pytest.param(safetensors_bytes(entry(offsets=(0, 800)), bytes(8)), id="data behind the end"),
        pytest.param(safetensors_bytes(entry(offsets=(-8, 0)), bytes(8)), id="data before the beginning"),
        pytest.param(safetensors_bytes(entry(offsets=(8, 0)), bytes(8)), id="ends before it begins"),
        pytest.param(safetensors_bytes(entry(offsets=(0, 8.0)), bytes(8)), id="ends at a fraction"),
        pytest.param(safetensors_bytes(entry(offsets=(0, 4, 8)), bytes(8)), id="three offsets"),
        pytest.param(safetensors_bytes(entry(shape=(3,)), bytes(8)), id="shape larger than its data"),
        pytest.param(safetensors_bytes(entry(shape=(1,)), bytes(8)), id="shape smaller than its data"),
        pytest.param(safetensors_bytes(entry(shape=(2**62, 4)), bytes(8)), id="shape overflows"),
        pytest.param(safetensors_bytes(entry(shape=(2**62, 2**62, 0)), bytes(8)), id="shape overflows to nothing"),
        pytest.param(safetensors_bytes(entry(shape=(-2,)), bytes(8)), id="shape below zero"),
        pytest.param(safetensors_bytes(entry(shape=(True, 2)), bytes(8)), id="shape true"),
        pytest.param(safetensors_bytes(entry(shape=(1,) * 1000 + (2,)), bytes(8)), id="a thousand dimensions"),
        pytest.param(safetensors_bytes(entry(shape="2"), bytes(8)), id="shape a text"),
        pytest.param(safetensors_bytes(entry(dtype="F99"), bytes(8)), id="unknown type"),
        pytest.param(safetensors_bytes(entry(dtype=["F32"]), bytes(8)), id="type a list"),
        pytest.param(safetensors_bytes(entry() | {"b": entry()["a"]}, bytes(8)), id="two share their data"),
        pytest.param(safetensors_bytes(entry(offsets=(4, 12)), bytes(12)), id="a gap before"),
        pytest.param(safetensors_bytes(entry(), bytes(9)), id="data left over"),
        pytest.param(safetensors_bytes({}), id="no tensors"),
        pytest.param(safetensors_bytes({"__metadata__": {"format": "pt"}}), id="nothing but a comment"),
        pytest.param(
            safetensors_bytes(
                b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
                bytes(8),
            ),
            id="a name twice",
        ),
        pytest.param(b"PK\x03\x04 is how a ZIP begins", id="a ZIP"),
        pytest.param(pth_bytes(TINY), id="a .pth by another name"),
        pytest.param(b"", id="empty"),
    ],
)
def test_safetensors_that_lie_are_refused(tmp_path: Path, data: bytes) -> None:
    refuses(tmp_path, data, ".safetensors")


def test_names_are_counted_before_anything_is_made_of_them(tmp_path: Path) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    assert len(read(tmp_path, safetensors_bytes({str(n): empty for n in range(MAX_TENSORS)}), ".safetensors")) == 4_000
    one_more = safetensors_bytes({str(n): empty for n in range(MAX_TENSORS + 1)})
    assert "4,001 tensors where a ResNet18 has 122" in refuses(tmp_path, one_more, ".safetensors")
    assert "names 1 tensors" in refuses(tmp_path, safetensors_bytes({"x" * 257: empty}), ".safetensors")
    many = in_zip(state(**{str(n): b"h\x00" for n in range(MAX_TENSORS + 1)}).replace(b"}(", tensor() + b"q\x00}(", 1))
    assert "4,001 tensors" in refuses(tmp_path, many)


def test_a_header_too_long_for_weights_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*arguments: object, **options: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(safetensors.json, "loads", parse)
    message = refuses(tmp_path, safetensors_bytes(b" " * (2 * MIB)), ".safetensors")
    assert "header of 2,097,152 bytes" in message


# --- damaged files

PICKLE = state(**{"fc.weight": tensor(), "fc.bias": tensor(shape=(1,))})
# torch's own writer puts addresses of memory into its old format.
FORMATS = {
    ".pth": pth_bytes(TINY),
    ".pt": in_a_row(PICKLE, ["0"], struct.pack("<q2f", 2, 1, 2)),
    ".safetensors": safetensors_bytes(GOOD_HEADER, bytes(8)),
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    data = FORMATS[suffix]
    read(tmp_path, data, suffix)
    for length in {*range(0, len(data), max(1, len(data) // 40)), len(data) - 1}:
        refuses(tmp_path, data[:length], suffix)


def assert_read_or_refused(folder: Path, data: bytes, suffix: str) -> None:
    """And in neither case more written than the limit."""
    try:
        made = read(folder, data, suffix, max_bytes=MIB)
    except WeightsInvalid:
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in made.values())
    assert (folder / "made.safetensors").stat().st_size < 2 * MIB


MUTATIONS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8)
IN_A_FOLDER = budget(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("suffix", FORMATS)
@IN_A_FOLDER
@given(changes=MUTATIONS)
def test_a_file_with_wrong_bytes_is_read_or_refused_and_nothing_else(
    tmp_path: Path, suffix: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(FORMATS[suffix])
    for position, value in changes:
        data[position % len(data)] = value
    assert_read_or_refused(tmp_path, bytes(data), suffix)


@pytest.mark.parametrize("wrap", [in_zip, lambda pickled: in_a_row(pickled, ["0"], struct.pack("<q2f", 2, 1, 2))])
@IN_A_FOLDER
@given(changes=MUTATIONS)
def test_a_pickle_with_wrong_opcodes_is_read_or_refused_and_nothing_else(
    tmp_path: Path, wrap: Callable[[bytes], bytes], changes: list[tuple[int, int]]
) -> None:
    data = bytearray(PICKLE)
    for position, value in changes:
        data[position % len(data)] = value
    assert_read_or_refused(tmp_path, wrap(bytes(data)), ".pth")


OPCODES = st.sampled_from(
    [
        *(b"(", b")", b"]", b"}", b"N", b"t", b"\x85", b"\x86", b"\x87", b"a", b"e", b"s", b"u", b"R", b"Q", b"b"),
        *(b"q\x00", b"h\x00", b"K\x05", text("storage"), text("a"), number(-1), number(2**62), storage(), tensor()),
        *(b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n"),
    ]
)


@IN_A_FOLDER
@given(opcodes=st.lists(OPCODES, max_size=40))
def test_any_opcodes_are_read_or_refused_and_nothing_else(tmp_path: Path, opcodes: list[bytes]) -> None:
    assert_read_or_refused(tmp_path, in_zip(b"\x80\x02" + b"".join(opcodes) + b"."), ".pth")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "BF16", "BOOL", "F4"]) | JSON,
        "shape": st.lists(st.integers(-1, 2**64), max_size=3) | JSON,
        "data_offsets": st.lists(st.integers(-1, 20), min_size=2, max_size=2) | JSON,
    },
)


@IN_A_FOLDER
@given(header=st.dictionaries(st.text(max_size=3), ENTRY | JSON, max_size=3) | JSON, size=st.integers(0, 20))
def test_any_header_is_read_or_refused_and_nothing_else(tmp_path: Path, header: object, size: int) -> None:
    assert_read_or_refused(tmp_path, safetensors_bytes(header, bytes(size)), ".safetensors")


# --- bounds of the whole


def test_a_file_of_exactly_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    for suffix, data in FORMATS.items():
        assert read(tmp_path, data, suffix, max_bytes=len(data))
        assert "MiB" in refuses(tmp_path, data, suffix, max_bytes=len(data) - 1)


def test_only_what_is_read_in_the_end_is_copied(tmp_path: Path) -> None:
    """Numbers of an optimizer's state are never looked at."""
    content = {"model": TINY, "optimizer": {"state": torch.full((100_000,), float("nan"))}}
    assert_tiny(read(tmp_path, pth_bytes(content)))
    assert (tmp_path / "made.safetensors").stat().st_size < 1000
