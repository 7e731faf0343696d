"""Folders (and zips) of images that somebody else's code wrote: which file belongs to which pair, and which part of it.

``matching.find`` is the door; ``layouts.LAYOUTS`` says what the systems of this field write, ``pairs_csv`` measures
images that belong to no prepared data set, ``every_protocol`` measures one folder under every protocol at once.
"""
