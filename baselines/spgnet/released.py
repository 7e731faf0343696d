"""The keys of SPGNet's published weights: none is documented.

The facts at hand give the size of the published generator (87,795,177 parameters for DeepFashion, 30,914,805 for
Market-1501, beside its flow network) and not the names of its tensors, and stage 1 was never published. So
``fhpt-bench import spgnet FILE`` lists what a file holds and writes nothing: nothing is guessed.
"""

from __future__ import annotations

from fhpt_bench.importing.mapping import Released


def released_keys() -> tuple[Released, ...]:
    """Nothing that could be mapped."""
    return ()
