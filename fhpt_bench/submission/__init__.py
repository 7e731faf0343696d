"""A run that another can check: one zip with record, rows and protocol (``submit``), and what is recomputed of it
(``verify``)."""

from fhpt_bench.submission.pack import submit
from fhpt_bench.submission.verdict import Check, Verdict
from fhpt_bench.submission.verify import verify

__all__ = ["Check", "Verdict", "submit", "verify"]
