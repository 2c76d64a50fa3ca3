"""Great Expectations gates and the reconciliation as asset checks: counts only, never a patient value."""

from collections.abc import Iterator

import dagster as dg

from assets.hospital import Hospital
from assets.silver import LEDGER
from contracts.fhir import RESOURCES
from contracts.region import Site
