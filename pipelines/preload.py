"""Imported once by the server process that the site jobs are forked from; opens nothing."""

import deltalake  # noqa: F401
import pyarrow  # noqa: F401
import pysail  # noqa: F401
import pyspark.sql.connect.session  # noqa: F401
