"""ResNet18 whose one linear layer looks at the pooled outputs of all four stages, instead of the last one's alone."""

from __future__ import annotations

from typing import Any

from core.models.torchvision_compat import import_torchvision

WIDTHS = (64, 128, 256, 512)  # of the four stages


def build_staged_resnet18(classes: int) -> Any:
    """An untrained ``torch.nn.Module`` with torchvision's names; its ``fc`` takes 960 features, first stage first."""
    import torch

    models = import_torchvision().models

    class StagedResNet18(models.ResNet):  # type: ignore[misc,name-defined]  # torchvision has no types
        def __init__(self) -> None:
            super().__init__(models.resnet.BasicBlock, [2, 2, 2, 2], num_classes=classes)
            self.fc = torch.nn.Linear(sum(WIDTHS), classes)

        def forward(self, images: Any) -> Any:
            maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
            pooled = []
            for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
                maps = stage(maps)
                pooled.append(self.avgpool(maps).flatten(1))
            return self.fc(torch.cat(pooled, 1))

    return StagedResNet18()
