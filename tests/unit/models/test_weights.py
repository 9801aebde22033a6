"""A person's weights: every usual way to save them is read, nothing in them is run, and what does not fit is named."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from core.base.errors import ModelError, WeightsInvalid
from core.models.architectures import load_resnet18
from core.models.torchvision_compat import import_torchvision
from core.models.weights import check_resnet18, read_state, save_weights

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore:.torch.load")]

MIB = 1024 * 1024
TINY = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}


def pth_bytes(content: object, as_zip: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=as_zip)
    return buffer.getvalue()


def safetensors_bytes(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def read(folder: Path, data: bytes, suffix: str = ".pth", **options: int | None) -> dict[str, torch.Tensor]:
    path = folder / f"weights{suffix}"
    path.write_bytes(data)
    return read_state(path, **options)


def refuses(folder: Path, data: bytes, suffix: str = ".pth", **options: int | None) -> str:
    with pytest.raises(WeightsInvalid) as caught:
        read(folder, data, suffix, **options)
    message = str(caught.value)
    assert message.startswith("weights")
    assert str(folder) not in message
    assert "\n" not in message
    return message


def assert_tiny(state: dict[str, torch.Tensor]) -> None:
    assert {name: tensor.tolist() for name, tensor in state.items()} == {
        name: tensor.tolist() for name, tensor in TINY.items()
    }


# --- reading


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".PTH"])
@pytest.mark.parametrize("as_zip", [True, False])
def test_what_torch_saves_is_read(tmp_path: Path, suffix: str, as_zip: bool) -> None:
    assert_tiny(read(tmp_path, pth_bytes(TINY, as_zip), suffix))


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_weights(TINY, tmp_path / "w.safetensors")
    assert_tiny(read_state(tmp_path / "w.safetensors"))


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in TINY.items()}


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
    ],
)
def test_usual_wrappings_are_taken_off(tmp_path: Path, content: object) -> None:
    assert_tiny(read(tmp_path, pth_bytes(content)))


def test_a_prefix_that_only_some_names_have_belongs_to_them(tmp_path: Path) -> None:
    content = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert set(read(tmp_path, pth_bytes(content))) == set(content)


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
            read_state(tmp_path / name)


# --- nothing is run


class Runs:
    """Unpickling it calls ``function(*arguments)``."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def in_zip(pickled: bytes) -> bytes:
    """A file of torch's present format with this pickle in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pth_bytes(TINY))) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            target.writestr(name, pickled if name.endswith("data.pkl") else source.read(name))
    return buffer.getvalue()


@pytest.mark.parametrize("wrap", [bytes, in_zip], ids=["bare pickle", "zip"])
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


def test_a_whole_pickled_network_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    message = refuses(tmp_path, pth_bytes(torch.nn.Linear(2, 2)))
    assert "torch.save(model.state_dict(), 'weights.pth')" in message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), buffer)
    refuses(tmp_path, buffer.getvalue())


# --- damaged and dishonest files

FORMATS = {".pth": pth_bytes(TINY), ".pt": pth_bytes(TINY, as_zip=False)}
GOOD_HEADER = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
FORMATS[".safetensors"] = safetensors_bytes(GOOD_HEADER, bytes(8))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    data = FORMATS[suffix]
    read(tmp_path, data, suffix)
    for length in {*range(0, len(data), max(1, len(data) // 40)), len(data) - 1}:
        refuses(tmp_path, data[:length], suffix)


@pytest.mark.parametrize("suffix", FORMATS)
@budget(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_file_with_wrong_bytes_is_read_or_refused_and_nothing_else(
    tmp_path: Path, suffix: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(FORMATS[suffix])
    for position, value in changes:
        data[position % len(data)] = value
    try:
        state = read(tmp_path, bytes(data), suffix, max_bytes=MIB)
    except WeightsInvalid:
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())


def entry(dtype: str = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(safetensors_bytes(GOOD_HEADER, bytes(8), length=2**63), id="header longer than anything"),
        pytest.param(safetensors_bytes(GOOD_HEADER, bytes(8), length=10**7), id="header longer than the file"),
        pytest.param(safetensors_bytes(GOOD_HEADER, bytes(8), length=3), id="header cut short"),
        pytest.param(safetensors_bytes(b"{not json", bytes(8)), id="header no JSON"),
        pytest.param(safetensors_bytes(b"[" * 100_000, bytes(8)), id="header deeply nested"),
        pytest.param(safetensors_bytes(entry(offsets=(0, 800)), bytes(8)), id="data behind the end"),
        pytest.param(safetensors_bytes(entry(offsets=(-8, 0)), bytes(8)), id="data before the beginning"),
        pytest.param(safetensors_bytes(entry(offsets=(8, 0)), bytes(8)), id="ends before it begins"),
        pytest.param(safetensors_bytes(entry(shape=(3,)), bytes(8)), id="shape larger than its data"),
        pytest.param(safetensors_bytes(entry(shape=(2**62, 4)), bytes(8)), id="shape overflows"),
        pytest.param(safetensors_bytes(entry(shape=(-2,)), bytes(8)), id="shape below zero"),
        pytest.param(safetensors_bytes(entry(dtype="F99"), bytes(8)), id="unknown type"),
        pytest.param(safetensors_bytes(entry() | {"b": entry()["a"]}, bytes(8)), id="two share their data"),
        pytest.param(safetensors_bytes(entry(), bytes(9)), id="data left over"),
        pytest.param(safetensors_bytes({}), id="no tensors"),
        pytest.param(b"PK\x03\x04 is how a ZIP begins", id="a ZIP"),
        pytest.param(pth_bytes(TINY), id="a .pth by another name"),
        pytest.param(b"", id="empty"),
    ],
)
def test_safetensors_that_lie_are_refused(tmp_path: Path, data: bytes) -> None:
    refuses(tmp_path, data, ".safetensors")


# --- bounds


def test_a_file_of_exactly_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    for suffix, data in FORMATS.items():
        assert read(tmp_path, data, suffix, max_bytes=len(data))
        assert "MiB" in refuses(tmp_path, data, suffix, max_bytes=len(data) - 1)
        assert read(tmp_path, data, suffix, max_bytes=None)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(*arguments: object, **options: object) -> None:
        raise AssertionError("unpacked")

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(TINY.keys().__class__.__name__))
        archive.writestr("archive/data/0", bytes(20 * MIB))
    assert len(buffer.getvalue()) < MIB
    monkeypatch.setattr(torch, "load", unpack)
    assert "1.0 MiB" in refuses(tmp_path, buffer.getvalue(), max_bytes=MIB)


@pytest.mark.parametrize("count", [10**6, 10**12])
def test_one_number_seen_as_a_million_counts_as_a_million(tmp_path: Path, count: int) -> None:
    data = pth_bytes({"fc.bias": torch.ones(1).expand(count)})
    assert len(data) < 10_000
    assert "1.0 MiB" in refuses(tmp_path, data, max_bytes=MIB)


# --- the architecture


@pytest.fixture(scope="module")
def resnet18() -> dict[str, torch.Tensor]:
    """Five classes."""
    return import_torchvision().models.resnet18(num_classes=5).state_dict()


def shapes_of(name: str) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return getattr(import_torchvision().models, name)().state_dict()


def misfit(state: dict[str, torch.Tensor]) -> str:
    with pytest.raises(WeightsInvalid) as caught:
        check_resnet18(state)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


@pytest.mark.parametrize("classes", [2, 5, 1000, 4000])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_resnet18_of_any_number_of_classes_and_float_type_fits(
    resnet18: dict[str, torch.Tensor], classes: int, dtype: torch.dtype
) -> None:
    head = {"fc.weight": torch.ones(classes, 512, dtype=dtype), "fc.bias": torch.ones(classes, dtype=dtype)}
    assert check_resnet18(resnet18 | head) == classes


def test_batch_counters_may_be_missing_or_of_any_kind(resnet18: dict[str, torch.Tensor]) -> None:
    counters = [name for name in resnet18 if name.endswith("num_batches_tracked")]
    assert counters
    without = {name: tensor for name, tensor in resnet18.items() if name not in counters}
    assert check_resnet18(without) == 5
    assert check_resnet18(without | {counters[0]: torch.tensor(float("inf"))}) == 5


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet34", "look like a ResNet34"),
        ("resnet50", "look like a ResNet50"),
        ("resnet101", "look like a ResNet101"),
        ("resnet152", "look like a ResNet152"),
        ("vgg11", "another kind of network"),
        ("mobilenet_v3_small", "another kind of network"),
        ("vit_b_16", "another kind of network"),
    ],
)
def test_another_architecture_is_called_by_its_name(name: str, says: str) -> None:
    message = misfit(shapes_of(name))
    assert says in message
    assert "ResNet18;" in message
    assert ", ..." in message, "not all of the hundred names that differ are listed"


@pytest.mark.parametrize(
    ("remove", "add", "says"),
    [
        (["bn1.bias"], [], "1 missing: bn1.bias)"),
        ([], ["ema.decay"], "1 unknown: ema.decay)"),
        (["fc.weight", "fc.bias"], ["fc.1.weight", "fc.1.bias"], "2 missing: fc.weight, fc.bias; 2 unknown: fc.1"),
        (["conv1.weight"], ["x" * 10_000], "1 unknown: xxx"),
    ],
)
def test_names_that_differ_are_listed(
    resnet18: dict[str, torch.Tensor], remove: list[str], add: list[str], says: str
) -> None:
    state = {name: tensor for name, tensor in resnet18.items() if name not in remove}
    message = misfit(state | {name: torch.ones(1) for name in add})
    assert says in message
    assert "look like a ResNet18" in message


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("conv1.weight", (64, 1, 7, 7), "conv1.weight is 64x1x7x7 and must be 64x3x7x7"),
        ("conv1.weight", (64, 3, 3, 3), "must be 64x3x7x7"),
        ("layer4.1.conv2.weight", (512, 512, 1, 1), "layer4.1.conv2.weight is 512x512x1x1"),
        ("fc.weight", (5, 2048), "fc.weight is 5x2048 and must be 5x512"),
        ("fc.weight", (6, 512), "fc.weight is 6x512 and must be 5x512"),
        ("fc.weight", (5, 512, 1, 1), "fc.weight is 5x512x1x1"),
        ("fc.bias", (6,), "fc.weight is 5x512 and must be 6x512"),
        ("fc.bias", (1,), "fc.bias is 1;"),
        ("fc.bias", (0,), "fc.bias is 0;"),
        ("fc.bias", (), "fc.bias is a single number"),
        ("fc.bias", (5, 1), "fc.bias is 5x1"),
        ("bn1.running_var", (), "bn1.running_var is a single number and must be 64"),
    ],
)
def test_a_wrong_shape_is_named_with_the_right_one(
    resnet18: dict[str, torch.Tensor], name: str, shape: tuple[int, ...], says: str
) -> None:
    assert says in misfit(resnet18 | {name: torch.zeros(shape)})


@pytest.mark.parametrize("count", [10**12, 2**40])
def test_a_shape_that_would_fill_the_memory_is_only_looked_at(resnet18: dict[str, torch.Tensor], count: int) -> None:
    assert "bn1.bias" in misfit(resnet18 | {"bn1.bias": torch.ones(1).expand(count)})


@pytest.mark.parametrize(
    ("made", "dtype"),
    [
        (lambda tensor: tensor.to(torch.int8), "int8"),
        (lambda tensor: tensor.to(torch.int64), "int64"),
        (lambda tensor: tensor.to(torch.complex64), "complex64"),
        (lambda tensor: tensor.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (lambda tensor: tensor.to(torch.bool), "bool"),
        (lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8), "qint8"),
        (lambda tensor: tensor.to_sparse(), "float32"),
        (lambda tensor: tensor.to("meta"), "float32"),
    ],
    ids=["int8", "int64", "complex", "float8", "bool", "quantized", "sparse", "meta"],
)
@pytest.mark.filterwarnings("ignore")  # of torch, about making such tensors
def test_numbers_of_another_kind_are_refused(
    resnet18: dict[str, torch.Tensor], made: Callable[[torch.Tensor], torch.Tensor], dtype: str
) -> None:
    message = misfit(resnet18 | {"fc.weight": made(resnet18["fc.weight"])})
    assert f"fc.weight holds no plain floating-point numbers ({dtype})" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
@pytest.mark.parametrize("name", ["conv1.weight", "bn1.running_var", "layer3.1.bn2.bias", "fc.bias"])
def test_one_number_that_is_none_is_found(resnet18: dict[str, torch.Tensor], name: str, value: float) -> None:
    tensor = resnet18[name].double()
    tensor.view(-1)[-1] = value
    assert f"{name} holds NaN or infinity" in misfit(resnet18 | {name: tensor})


# --- saving


def test_saved_weights_come_back_and_give_the_same_bytes_whatever_way_they_came(
    tmp_path: Path, resnet18: dict[str, torch.Tensor]
) -> None:
    state = {name: tensor for name, tensor in resnet18.items() if name.startswith(("conv1", "bn1", "fc"))}
    odd = {
        name: tensor.contiguous(memory_format=torch.channels_last) for name, tensor in state.items() if tensor.ndim == 4
    }
    both = torch.stack([state["bn1.weight"], state["bn1.bias"]])
    shared = {"bn1.weight": both[0], "bn1.bias": torch.nn.Parameter(both[1])}
    save_weights(state, tmp_path / "a" / "w.safetensors")
    save_weights(dict(reversed([*(state | odd | shared).items()])), tmp_path / "b" / "w.safetensors")
    data = (tmp_path / "a" / "w.safetensors").read_bytes()
    assert data == (tmp_path / "b" / "w.safetensors").read_bytes()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["w.safetensors"]
    back = read_state(tmp_path / "a" / "w.safetensors")
    assert set(back) == {name for name in state if not name.endswith("num_batches_tracked")}
    assert all(torch.equal(back[name], state[name]) and back[name].dtype == state[name].dtype for name in back)


def test_saving_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(TINY, path)
    before = path.read_bytes()

    def fail(tensors: object, draft: Path) -> None:
        draft.write_bytes(b"half of it")
        raise OSError("no space")

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(OSError, match="no space"):
        save_weights({"a": torch.ones(1)}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# --- into a network


def test_a_checkpoint_from_training_gives_the_very_network(tmp_path: Path) -> None:
    trained = import_torchvision().models.resnet18(num_classes=3)
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in trained.state_dict().items()}}, tmp_path / "w.pth"
    )
    network = load_resnet18(tmp_path / "w.pth")
    probe = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(network(probe), trained.eval()(probe))
    assert not network.training


def test_an_installed_file_that_does_not_fit_is_the_models_fault_not_the_persons(tmp_path: Path) -> None:
    save_weights(TINY, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="does not hold the weights of a torchvision ResNet18") as caught:
        load_resnet18(tmp_path / "weights.safetensors")
    assert type(caught.value) is ModelError
