"""What a person points at to check specs: a region folder, or the folder of one site."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UsageError
from contracts.region import Region, Site, load_region, load_site, load_source, read_toml


def open_sites(folder: Path, site: str | None = None) -> tuple[Region, tuple[Site, ...]]:
    """The region of a folder, and its sites, or the one that is named.

    A folder with ``sources/`` and ``specs/`` that stands in no region is a site by itself, in a region without tasks;
    it needs no ``site.toml``.

    Raises:
        UsageError: neither a region nor a site, or no such site.
        SpecError: a file in it is wrong.
    """
    folder = folder.resolve()
    if (folder / "region.toml").is_file():
        region = load_region(folder)
        return region, (region.site(site),) if site else region.sites
    found = single_site(folder)
    if site not in (None, found[1].name):
        raise UsageError(f"{folder} is the site '{found[1].name}', not '{site}': leave --site out, or give the region")
    return found[0], (found[1],)


def single_site(folder: Path) -> tuple[Region, Site]:
    """The site in a folder, and the region around it. Raises UsageError when it is none."""
    if not (folder / "sources").is_dir():
        raise UsageError(
            f"no region or site at {folder}: expected a folder with region.toml, such as regions/demo, "
            "or one with sources/ and specs/. Give the path of one."
        )
    around = folder.parent.parent
    if (folder / "site.toml").is_file() and (around / "region.toml").is_file():
        body, site = read_toml(around / "region.toml"), load_site(folder)
        return Region.model_validate({**body, "folder": around, "sites": (site,), "tasks": ()}), site
    sources = tuple(load_source(path) for path in sorted((folder / "sources").glob("*.toml")))
    site = Site(name="site", title=folder.name, folder=folder, sources=sources)
    return Region(name="region", title=folder.name, folder=folder, sites=(site,), tasks=()), site
