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
    "pckh": ("PCKh", "Share of body points found within half a head of where they should be."),
    "pck": ("PCK", "Share of body points found within a distance of where they should be."),
    "kec": ("KEC", "Area under the keypoint error curve."),
    "recall": ("Recall", "Share of generated images whose top K retrieved photographs hold the right item."),
    "face": ("Face", "Distance of face embeddings; coverage (faces found) stands beside it."),
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
