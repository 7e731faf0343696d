"""What each column is called and means, for readers of a table."""

from __future__ import annotations

GLOSSARY: dict[str, tuple[str, str]] = {
    "ssim": ("SSIM", "Structural similarity of the generated and the true image (Wang et al. 2004). 1 is identical."),
    "mask-ssim": ("Mask-SSIM", "SSIM of both images times the mask of the true person."),
    "ms-ssim": ("MS-SSIM", "SSIM over five scales (Wang et al. 2003)."),
    "psnr": ("PSNR", "Peak signal-to-noise ratio in dB, computed in floating point."),
    "lpips": ("LPIPS", "Learned perceptual distance to the true image (Zhang et al. 2018). 0 is identical."),
    "mask-lpips": ("Mask-LPIPS", "LPIPS of both images times the mask of the true person."),
    "dists": ("DISTS", "Deep structure and texture distance to the true image (Ding et al. 2020)."),
    "fid": (
        "FID",
        "Frechet distance of Inception features between the generated and the true images, as sets. A "
        "copied source is a real image, so copying wins it by construction.",
    ),
    "kid": (
        "KID",
        "Squared kernel distance of Inception features between the two sets, unbiased, so values around 0 "
        "may be negative. Copying wins it by construction, as with FID.",
    ),
    "is": (
        "IS",
        "Inception Score: how sharp and how varied ImageNet labels of the generated images are. Knows "
        "nothing of the truth.",
    ),
    "kec": (
        "KEC",
        "Area under the keypoint error curve, 0 to 1: how near the points found in the generated image lie to where"
        " they belong. 1: every point exactly there.",
    ),
    "points-found": ("Points found", "Share of the points that the detector finds at all. Read it beside KEC."),
    "pckh": ("PCKh", "Share of body points found within half a head box of where they should be, as PATN counts them."),
    "pck": ("PCK", "Share of body points found within a share of a reference length of where they should be."),
    "face-distance": (
        "Face distance",
        "Distance of dlib's face embeddings, over pairs where both faces are found: about 0.35 for two photographs of"
        " one Catwalk person, 0.65 for two people's. A copied source has distance 0 to the source by construction.",
    ),
    "face-same": (
        "Same face",
        "Share of pairs whose faces are nearer than this threshold. `all`: a lost face counts as not.",
    ),
    "face-found": ("Faces found", "Share of the true images' faces that are found in the generated images too."),
    "face-eer": (
        "Face EER",
        "Equal error rate of the threshold on validation people: how well faces tell people apart.",
    ),
    "face-eer-threshold": ("Face threshold", "Distance at which validation people are mistaken as often as missed."),
    "recall": (
        "Recall",
        "Share of generated images whose top K retrieved photographs hold the right item. A copied source shows the"
        " right clothes by construction.",
    ),
    "hits": ("Hits", "Share of all photographs of the right item that stand among the top K."),
    "map": ("mAP", "Mean average precision of retrieving the right item's photographs."),
    "gender-error": (
        "Gender error",
        "Share of images in which a classifier sees the other presentation label than the data set prints. About"
        " models, never about people.",
    ),
    "gender-gap": ("Gender gap", "Error on men minus error on women: whom the model turns into whom. 0 is even."),
    "gender-flip": ("Gender flips", "Share of images in which the classifier says otherwise than of the true image."),
    "attrrec-5": ("AttrRec-5", "Share of the true clothing attributes among the recogniser's first 5."),
    "attrrec-20": ("AttrRec-20", "Share of the true clothing attributes among the recogniser's first 20."),
    "fashion-is": (
        "FashionIS",
        "Inception Score of a clothing recogniser: how sure and how varied its categories are.",
    ),
    "detection-score": ("Detection score", "How sure a person detector is that it sees a person."),
}
"""Score name up to its setting -> label, one plain sentence."""

REGIONS: dict[str, str] = {
    "foreground": "the person in the true image",
    "visible": "parts of the person that the source photograph shows",
    "occluded": "parts of the person that the source photograph hides: they must be invented",
    "background": "everything but the person",
    "face": "the face",
    "hands": "both hands",
    "clothes": "the clothes",
}
"""Region name -> what the score is averaged over, inside the true image."""
