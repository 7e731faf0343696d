"""The metrics: one small file each, its whole definition on a screen."""
