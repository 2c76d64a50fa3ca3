"""``cloister key``: the keys of a region's parties."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import engine_option, region_argument, site_option, work_option
from pipelines.settings import EngineKind, Settings

KINDS = ("pseudonym", "identity", "node", "authority", "tls", "passphrase")
OF_A_SITE = KINDS[:3]

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The archive's passphrase: a file with mode 0600, kept apart from it.",
)


@click.group(
    epilog="""\b
Examples:
  cloister key list --work work/demo
  cloister key rotate regions/demo --site north --kind identity --work work/demo
  cloister key backup authority --out authority.backup --passphrase-file pass.txt --work work/demo
"""
)
def command() -> None:
    """List, make, rotate, revoke and back up keys. A private key never leaves its party's folder."""


@command.command(name="list", epilog="\b\nExamples:\n  cloister key list --work work/demo")
@work_option
def list_(work: Path) -> None:
    """List every party's keys by the fingerprint of the public half, and how the private half is kept."""
    from pipelines.keys import key_lines, list_keys

    for line in key_lines(list_keys(_settings(work).area)):
        click.echo(line)


@command.command(
    epilog="""\b
Examples:
  cloister key make regions/demo --work work/demo
  cloister key make regions/demo --approver li --approver wang --work work/demo
"""
)
@region_argument
@click.option("--approver", "approvers", multiple=True, metavar="NAME", help="Also an approver's identity; repeatable.")
@work_option
def make(region: Path, approvers: tuple[str, ...], work: Path) -> None:
    """Make the keys, certificates and the roster that are missing. What is there stays.

    An approver's key is made in DIR/approvers/NAME. It counts once the roster names it: `cloister roster sign`.
    """
    from pipelines.keys import approver_folder, key_lines, list_keys, make_keys

    settings = _settings(work, region)
    make_keys(settings, approvers)
    for line in key_lines(list_keys(settings.area)):
        click.echo(line)
    for name in approvers:
        click.echo(f"public key of approver '{name}': {approver_folder(settings.area, name) / 'approver.pub'}")


@command.command(
    epilog="""\b
Examples:
  cloister key rotate regions/demo --site north --work work/demo                   # its pseudonym key
  cloister key rotate regions/demo --site north --kind identity --work work/demo
  cloister key rotate regions/demo --kind authority --work work/demo
  cloister key rotate regions/demo --kind passphrase --passphrase-file new.txt --work work/demo
"""
)
@region_argument
@click.option("--site", metavar="SITE", help="The hospital: for pseudonym, identity and node.")
@click.option(
    "--kind", type=click.Choice(KINDS), default="pseudonym", show_default=True, help="Which key; see the kinds above."
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="For passphrase: the file that opens the authority's keys from now on.",
)
@click.option(
    "--unwrap-command",
    metavar="COMMAND",
    help="For passphrase, instead of a file: a command that prints the key in hex (an HSM's hook).",
)
@work_option
@engine_option
def rotate(
    region: Path,
    site: str | None,
    kind: str,
    passphrase_file: Path | None,
    unwrap_command: str | None,
    work: Path,
    engine: EngineKind,
) -> None:
    """Give a party a new key and destroy the old one.

    \b
    pseudonym   of SITE: every id of every table changes; tables are made again from bronze. If it fails
                nothing else runs in the zone until it is run again.
    identity    of SITE: what it signs with. A new roster names it.
    node        of SITE: the key of its SuperNode.
    authority   the authority's identity. A new roster names it; models released before are refused.
    tls         the TLS root and every certificate. A new roster names the root; clinics need the new one.
    passphrase  what opens the authority's keys: another file or command. The keys stay.

    Parties refuse the older roster once they have seen the new one, and a run under way under it is closed.
    """
    settings = _settings(work, region, engine)
    if (kind in OF_A_SITE) != (site is not None):
        wanted = "--site SITE" if kind in OF_A_SITE else "no --site"
        raise click.UsageError(f"--kind {kind} takes {wanted}")
    if kind != "passphrase" and (passphrase_file or unwrap_command):
        raise click.UsageError("--passphrase-file and --unwrap-command are for --kind passphrase")
    if kind == "passphrase":
        _change_passphrase(settings, passphrase_file, unwrap_command)
    elif kind == "pseudonym" and site is not None:
        _rotate_pseudonym(settings, site)
    else:
        _rotate_identity(settings, site, kind)


@command.command(
    epilog="\b\nExamples:\n  cloister key revoke regions/demo --site west --reason 'host was stolen' --work work/demo"
)
@region_argument
@site_option
@click.option("--reason", required=True, help="Kept in the signed revocation; no patient values.")
@work_option
def revoke(region: Path, site: str, reason: str, work: Path) -> None:
    """Take SITE off the roster: it takes part in nothing until it is readmitted with another identity.

    Later runs of `cloister run` leave it out too. To take it back: `cloister key rotate --kind identity`, then
    `cloister roster sign --readmit SITE`.
    """
    from pipelines.keys import revoke_site

    roster = revoke_site(_settings(work, region), site, reason)
    click.echo(f"'{site}' is revoked: roster version {roster.version} names {', '.join(roster.sites)}")
    click.echo(f"quorum {roster.quorum} of {len(roster.sites)}; runs under way under the older roster are closed")


@command.command(
    epilog="""\b
Examples:
  cloister key backup authority --out /mnt/safe/authority.backup --passphrase-file /mnt/key/pass --work work/demo
  cloister key backup north --out north.backup --passphrase-file pass.txt --work work/demo
"""
)
@click.argument("party")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The archive to write.",
)
@passphrase_option
@work_option
def backup(party: str, out: Path, passphrase_file: Path, work: Path) -> None:
    """Write the secrets of PARTY (authority, coordinator, gateway, a site, an approver) into an encrypted archive.

    The authority's holds its ledger and approvals too. Secrets of runs are left out: they live no longer than the run.
    """
    from pipelines.key_backup import back_up

    manifest = back_up(_settings(work).area, party, out, passphrase_file)
    click.echo(f"{len(manifest.names)} files of '{party}' in {out}, {sum(manifest.sizes):,} bytes, encrypted")


@command.command(
    epilog="""\b
Examples:
  cloister key restore north --from north.backup --passphrase-file pass.txt --work work/demo
"""
)
@click.argument("party")
@click.option(
    "--from",
    "archive",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The archive.",
)
@passphrase_option
@work_option
def restore(party: str, archive: Path, passphrase_file: Path, work: Path) -> None:
    """Put a backup of PARTY back, files with mode 0600. Refused while another file of a name is there."""
    from pipelines.key_backup import restore as put_back

    manifest = put_back(_settings(work).area, party, archive, passphrase_file)
    click.echo(f"{len(manifest.names)} files of '{party}' are back, as of {manifest.made_at}")


def _settings(work: Path, region: Path | None = None, engine: EngineKind = "sail") -> Settings:
    return Settings(region=(region or Path()).resolve(), work=work.resolve(), engine=engine)


def _rotate_pseudonym(settings: Settings, site: str) -> None:
    from pipelines.rotation import rotate as run_rotation

    resources, features = run_rotation(settings, site)
    click.echo(f"'{site}' has a new pseudonym key: {resources:,} resources and {features} feature tables made again")


def _rotate_identity(settings: Settings, site: str | None, kind: str) -> None:
    from pipelines.keys import rotate_authority, rotate_site_key, rotate_tls

    if site is not None:
        roster = rotate_site_key(settings, site, kind)
        click.echo(f"'{site}' has a new {kind} key")
    elif kind == "authority":
        roster = rotate_authority(settings)
        click.echo("the authority has a new identity; models released before are refused: release them again")
    else:
        roster = rotate_tls(settings)
        click.echo("the region has a new TLS root and new certificates; give clinics the new root.crt")
    click.echo(f"roster version {roster.version}; its fingerprints: `cloister roster show --work {settings.work}`")


def _change_passphrase(settings: Settings, passphrase_file: Path | None, unwrap_command: str | None) -> None:
    import shlex

    from governance.vault import Unlock
    from pipelines.keys import change_unlock

    if (passphrase_file is None) == (unwrap_command is None):
        raise click.UsageError("--kind passphrase takes --passphrase-file or --unwrap-command, one of them")
    if passphrase_file is not None:
        change_unlock(settings, Unlock(passphrase_file=passphrase_file.resolve()))
        click.echo(f"the authority's keys are opened by {passphrase_file} from now on; destroy the earlier passphrase")
    elif unwrap_command is not None:
        change_unlock(settings, Unlock(unwrap_command=tuple(shlex.split(unwrap_command))))
        click.echo("the authority's keys are opened by the command from now on; destroy the earlier passphrase")
