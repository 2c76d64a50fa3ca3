"""A region with more or fewer hospitals than the demo: the same four habits again, under other names."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

from contracts.errors import UsageError
from contracts.region import Region, load_region


def widen_region(region: Region, target: Path, sites: int) -> Region:
    """Copy a region folder to ``target`` with exactly so many sites.

    The first ones are the region's own, in order of name; after them their folders come again as ``north_2``,
    ``south_2``, ... (specs, sources and maps unchanged, so each keeps its habit).

    Raises:
        UsageError: fewer than one site, or ``target`` is there already.
    """
    if sites < 1:
        raise UsageError(f"{sites} sites: give at least 1")
    if target.exists():
        raise UsageError(f"{target} is there already: give a folder that is not")
    shutil.copytree(region.folder, target, ignore=shutil.ignore_patterns("sites"))
    originals = [site.name for site in region.sites]
    names = ((name if turn == 1 else f"{name}_{turn}", name) for turn in count(1) for name in originals)
    for _, (name, original) in zip(range(sites), names, strict=False):
        folder = target / "sites" / name
        shutil.copytree(region.site(original).folder, folder)
        settings = folder / "site.toml"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace(f'name = "{original}"', f'name = "{name}"', 1), encoding="utf-8")
    return load_region(target)
