import subprocess
import sys


def test_reading_a_table_imports_no_pyspark_and_starts_no_engine() -> None:
    code = "import sys, lake.reader; print([m for m in ('pyspark', 'pysail', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
