"""The order of images that belong together in space or time, such as the slices of a scan: their names say less."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.base.giving_way import giving_way
from core.images.formats.format import Place
from core.stacks.sources.names import in_order_of


def in_series_order(order: Sequence[int], names: Sequence[str], places: Mapping[int, Place]) -> list[int]:
    """``order`` with the images of each series of a folder put in order, where they stood among the others.

    Args:
        order: positions in ``names``.
        names: of all images, with their folders.
        places: of those that belong to a series; one that lacks images stays in the order of names.
    """
    arranged = list(order)
    slots: dict[tuple[str, str], list[int]] = defaultdict(list)
    for slot, index in enumerate(giving_way(order)):
        if place := places.get(index):
            slots[names[index].rpartition("/")[0], place[0]].append(slot)
    for found in slots.values():
        members = [order[slot] for slot in found]
        wanted = places[members[0]][3:]
        if wanted not in ((0,), (len(members),)):
            continue
        for slot, number in zip(found, in_order_of([places[index] for index in members]), strict=True):
            arranged[slot] = members[number]
    return arranged
