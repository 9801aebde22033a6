"""Whether a state dict is a ResNet18's is told from names, types and shapes, and what does not fit is named."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from core.base.errors import WeightsInvalid
from core.models.torchvision_compat import import_torchvision
from core.models.weight_files.resnet18 import check_resnet18, check_staged_resnet18, resnet18_shapes
from core.models.weight_files.tensors import FLOATS


@dataclass(frozen=True)
class Told:
    """Type and shape, without numbers."""

    dtype: str = "float32"
    shape: tuple[int, ...] = ()


RESNET18 = {name: Told(shape=shape) for name, shape in resnet18_shapes(5).items()}


def of_torchvision(name: str, classes: int = 1000) -> dict[str, Told]:
    torch = pytest.importorskip("torch")
    with torch.device("meta"):  # shapes without memory
        state = getattr(import_torchvision().models, name)(num_classes=classes).state_dict()
    return {name: Told(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)) for name, tensor in state.items()}


def misfit(state: dict[str, Told]) -> str:
    with pytest.raises(WeightsInvalid) as caught:
        check_resnet18(state)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 700
    return message


@pytest.mark.torch
@pytest.mark.parametrize("classes", [2, 1000])
def test_names_and_shapes_are_torchvisions(classes: int) -> None:
    theirs = of_torchvision("resnet18", classes)
    counters = {name for name in theirs if name.endswith(".num_batches_tracked")}
    assert len(counters) == 20
    assert {name: told.shape for name, told in theirs.items() if name not in counters} == resnet18_shapes(classes)
    assert check_resnet18(theirs) == classes


@pytest.mark.parametrize("classes", [2, 5, 1000, 4000])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_resnet18_of_any_number_of_classes_and_float_type_fits(classes: int, dtype: str) -> None:
    head = {"fc.weight": Told(dtype, (classes, 512)), "fc.bias": Told(dtype, (classes,))}
    assert check_resnet18(RESNET18 | head) == classes


def test_batch_counters_may_be_missing_or_of_any_kind() -> None:
    assert check_resnet18(RESNET18 | {"bn1.num_batches_tracked": Told("int64")}) == 5
    assert check_resnet18(RESNET18 | {"bn1.num_batches_tracked": Told("float32", (7,))}) == 5


@pytest.mark.torch
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
    message = misfit(of_torchvision(name))
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
        ([], ["a\nb\x1b[2J\ud800\u202e"], "1 unknown: a\ufffdb\ufffd[2J\ufffd\ufffd)"),
    ],
)
def test_names_that_differ_are_listed(remove: list[str], add: list[str], says: str) -> None:
    state = {name: tensor for name, tensor in RESNET18.items() if name not in remove}
    message = misfit(state | {name: Told() for name in add})
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
        ("fc.bias", (2**62,), "must be 4611686018427387904x512"),
        ("bn1.running_var", (), "bn1.running_var is a single number and must be 64"),
    ],
)
def test_a_wrong_shape_is_named_with_the_right_one(name: str, shape: tuple[int, ...], says: str) -> None:
    assert says in misfit(RESNET18 | {name: Told(shape=shape)})


@pytest.mark.parametrize("dtype", ["int8", "int64", "complex64", "float8_e4m3fn", "bool", "qint8"])
def test_numbers_of_another_kind_are_refused(dtype: str) -> None:
    message = misfit(RESNET18 | {"fc.weight": replace(RESNET18["fc.weight"], dtype=dtype)})
    assert f"fc.weight holds no plain floating-point numbers ({dtype})" in message


def test_a_head_over_four_stages_is_another_network() -> None:
    staged = {name: Told(shape=shape) for name, shape in resnet18_shapes(5, 960).items()}
    assert check_staged_resnet18(staged) == 5
    assert set(staged) == set(RESNET18)
    with pytest.raises(WeightsInvalid, match=r"fc\.weight is 5x512 and must be 5x960"):
        check_staged_resnet18(RESNET18)
    with pytest.raises(WeightsInvalid, match=r"fc\.weight is 5x960 and must be 5x512"):
        check_resnet18(staged)
