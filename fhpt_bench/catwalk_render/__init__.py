"""The renderer that made Catwalk: an optional extra (``pip install 'fhpt-bench[catwalk]'``), never needed to load the data.

Read in this order: ``people`` (who), ``wardrobe`` (wearing what), ``dress`` (one mesh), ``poses`` and ``views`` (standing how,
seen how), ``photograph`` (pixels), ``annotate`` (what is known of each pixel), ``export`` (files). World axes, in metres:
x to the person's left, y backwards (the person looks along -y), z up; the camera stands at y = -6 and looks along +y.
"""
