"""``python -m secure_compute.authority --config FILE``: the key authority as a process of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvicorn

from contracts.errors import CloisterError, exit_code
from governance.certificates import server_passphrase
from governance.files import read_private, require_private
from governance.roster import load_roster
from governance.signing import load_identity
from governance.vault import open_vault
from secure_compute.authority.opener import Opener
from secure_compute.authority.service import make_service
from secure_compute.authority.settings import AuthoritySettings, load_settings


def serve(settings: AuthoritySettings) -> None:
    """Serve until stopped by a signal. Raises CloisterError when a file, the roster or the chain is not sound.

    Nothing is served before the vault of the authority's keys is open.
    """
    secrets = settings.folder / "secrets"
    require_private(secrets)
    vault = open_vault(settings.folder, settings.unlock)
    roster = load_roster(settings.roster, settings.commission, settings.folder / "ledger" / "roster_seen.json")
    token = read_private(settings.token_file).decode().strip()
    passphrase = server_passphrase(settings.private_key, vault)
    opener = Opener(settings.folder, load_identity(secrets / "authority.key", vault), roster, vault)
    try:
        uvicorn.run(
            make_service(opener, token),
            host=settings.host,
            port=settings.port,
            ssl_certfile=str(settings.certificate),
            ssl_keyfile=str(settings.private_key),
            ssl_keyfile_password=passphrase,
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_keep_alive=60,
        )
    finally:
        opener.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="secure_compute.authority", description="Run the key authority.")
    parser.add_argument("--config", type=Path, required=True, help="settings file (TOML)")
    try:
        serve(load_settings(parser.parse_args().config))
    except CloisterError as error:
        print(f"authority: {error}", file=sys.stderr)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
