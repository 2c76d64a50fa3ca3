"""The command ``cloister``: groups its commands and turns our errors into one line and an exit code."""

from __future__ import annotations

import sys

import click

from contracts.errors import CloisterError, exit_code
from pipelines.cli.lazy import LazyGroup

COMMANDS = {
    "run": ("pipelines.cli.run", "Run the main job on a region: raw exports to released models."),
    "demo": ("pipelines.cli.demo", "Make the synthetic city, run the main job on it, fetch one hint."),
    "predict": ("pipelines.cli.predict", "Score new records with a released model."),
    "serve": ("pipelines.cli.serve", "Serve a region's released models as CDS Hooks."),
    "ui": ("pipelines.cli.ui", "Open Dagster's web page on a region."),
    "audit": ("pipelines.cli.audit", "Check an audit chain."),
    "clinic": ("pipelines.cli.clinic", "Register a clinic, make a token for it."),
    "map": ("pipelines.cli.map", "Check mapping specs, run their examples, convert files."),
    "view": ("pipelines.cli.view", "Run a SQL on FHIR view over FHIR resources or a site's silver."),
    "listen": ("pipelines.cli.listen", "Receive HL7 v2 messages over MLLP into a hospital's landing folder."),
    "pull": ("pipelines.cli.pull", "Take new rows of a hospital's PostgreSQL database into its landing folder."),
    "quarantine": ("pipelines.cli.quarantine", "List, show and replay the records that did not make it."),
    "erase": ("pipelines.cli.erase", "Erase a person at a hospital."),
    "key": ("pipelines.cli.key", "List, make, rotate, revoke and back up the parties' keys."),
    "roster": ("pipelines.cli.roster", "Show, check and sign the roster of sites."),
    "approval": ("pipelines.cli.approval", "List, sign, countersign and revoke approvals."),
    "authority": ("pipelines.cli.authority", "The key authority's drill: would a backup do?"),
    "report": ("pipelines.cli.report", "The connection report: what arrived, and what is wrong with it."),
    "models": ("pipelines.cli.models", "List, withdraw and promote released models."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="See `cloister COMMAND --help` for examples of each.",
)
@click.version_option(package_name="cloister", message="cloister %(version)s")
def cli() -> None:
    """Hospitals of a city learn together without a patient record ever leaving the hospital that holds it.

    \b
    Examples:
      cloister demo --work work/demo
      cloister run regions/heart --data ../shared/data --work work/heart --baselines
      cloister predict work/heart/registry/diagnosis/current new.csv --out scores.csv
      cloister serve regions/demo --work work/demo
    """


def main() -> None:
    """Entry point: exit code 0, or that of the error; wrong use ends in one line and 2, never a traceback."""
    try:
        code = cli(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.UsageError as error:
        hint = f". See `{error.ctx.command_path} --help`." if error.ctx else ""
        fail(error.format_message().rstrip(".") + hint, 2)
    except click.ClickException as error:
        fail(error.format_message(), 2)
    except (click.exceptions.Abort, KeyboardInterrupt):
        fail("stopped; a second run goes on from what is there", 130)
    except CloisterError as error:
        fail(str(error), exit_code(error))
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename} cannot be used ({error.strerror}): look what stands there, and who may read it", 2)


def fail(words: str, code: int) -> None:
    """Say one line on standard error and exit."""
    click.echo(f"cloister: {' '.join(words.split())}", err=True)
    sys.exit(code)
