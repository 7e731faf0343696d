"""``python -m fhpt_bench``: the command line, for torchrun."""

from fhpt_bench.cli import main

main()
