"""What two or more baselines share, each thing once.

Written from the papers and the facts sheet, not from others' code.
"""
