"""A process as Dagster's page starts one: a run of two steps of a site, each noted in a diary with the process's id.

python page_job.py REGION WORK SITE DIARY        says on its standard output what the job is told to say
"""

import os
import sys
import time
from pathlib import Path

import dagster as dg

from contracts.region import load_region
from pipelines.hospital import hospital_resource
from pipelines.settings import Settings

STEP_SECONDS = 0.4


def run(settings: Settings, site: str, diary: Path) -> None:
    region = load_region(settings.region)
    keys = [dg.AssetKey([site, f"step_{number}"]) for number in range(2)]

    def write(context: dg.AssetExecutionContext) -> None:
        with context.resources.hospital.confined(), diary.open("a", encoding="utf-8") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(STEP_SECONDS)

    steps = [
        dg.asset(key=key, deps=keys[:number], required_resource_keys={"hospital"})(write)
        for number, key in enumerate(keys)
    ]
    hospital = hospital_resource(region, region.site(site), settings, lambda stage, words: print(stage, words))
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(steps, instance=instance, resources={"hospital": hospital})


if __name__ == "__main__":
    run(Settings(region=Path(sys.argv[1]), work=Path(sys.argv[2])), sys.argv[3], Path(sys.argv[4]))
