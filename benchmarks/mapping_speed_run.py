"""One measured run of the mapper or of its copy limit, in a process of its own (see ``mapping_speed_meter``).

python -m benchmarks.mapping_speed_run map ZONE SITE ENGINE DAY...   landing to validated silver, quarantine and ledger
python -m benchmarks.mapping_speed_run text FOLDER OUT ENGINE        the engine copies text files, untyped, into Delta
python -m benchmarks.mapping_speed_run copy LAKE OUT ENGINE          the engine copies the tables of a site
"""

import sys

if __name__ == "__main__":
    # Processes that read files in parallel import this module again: it must cost them nothing.
    from benchmarks.mapping_speed_stages import main

    main(sys.argv[1:])
