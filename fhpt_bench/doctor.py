"""What is installed, what is missing, which columns that costs, and how to get it."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from fhpt_bench import paths


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table."""

    what: str
    ok: bool
    needed: bool
    """False: everything that ships works without it."""
    state: str
    costs: str = ""
    """What is unavailable without it."""
    fix: str = ""


PACKAGES: dict[str, tuple[str, str, bool, str]] = {
    # distribution: (modules it takes, what it is for, needed, fix)
    "torch": ("torch", "every network", True, "pip install torch torchvision"),
    "torchvision": ("torchvision", "resizing, baselines", True, "pip install torch torchvision"),
    "scikit-image": ("skimage", "reference arithmetic of SSIM and PSNR", True, "pip install scikit-image"),
    "scikit-learn": ("sklearn", "evaluators", True, "pip install scikit-learn"),
    "pandas": ("pandas", "leaderboards", True, "pip install pandas"),
    "lpips": ("lpips", "lpips", True, "pip install lpips"),
    "faiss-cpu": ("faiss", "retrieval", False, "pip install faiss-cpu (or faiss-gpu, never both)"),
    "dlib-bin": ("dlib", "face identity", False, "pip install dlib-bin"),
    "mediapipe": ("mediapipe", "keypoint error curves with the default detector", False, "pip install mediapipe"),
    "mmpose": (
        "mmpose mmengine mmcv pycocotools pkg_resources",
        "keypoint error curves with mmpose",
        False,
        "make extras",
    ),
    "face-recognition": (
        "face_recognition face_recognition_models",
        "the alternative face backend",
        False,
        "make extras",
    ),
    "anny": ("anny", "fhpt-bench data render catwalk", False, "pip install 'fhpt-bench[catwalk]'"),
    "numba": ("numba", "fhpt-bench data render catwalk", False, "pip install 'fhpt-bench[catwalk]'"),
}

LIBRARIES: dict[str, tuple[str, str]] = {
    # shared object: (what needs it, Debian package)
    "EGL": ("mediapipe keypoints", "libegl1"),
    "GLESv2": ("mediapipe keypoints", "libgles2"),
    "GL": ("mediapipe's OpenCV", "libgl1"),
    "gthread-2.0": ("mediapipe's OpenCV", "libglib2.0-0"),
    "xcb": ("mediapipe's OpenCV", "libxcb1"),
}


def examine() -> list[Finding]:
    """Look at packages, system libraries, networks, devices, data and disk; nothing is fetched or written."""
    return [_python(), *_packages(), *_reports(), *_libraries(), _device(), *_networks(), _data(), _disk()]


def _python() -> Finding:
    return Finding(
        "python", sys.version_info >= (3, 11), True, sys.version.split()[0], "everything", "use Python 3.11 or newer"
    )


def _packages() -> list[Finding]:
    found = []
    for package, (modules, purpose, needed, fix) in PACKAGES.items():
        # find_spec does not import: a package that quits at import (face_recognition with new setuptools) cannot
        # end us here.
        absent = [module for module in modules.split() if importlib.util.find_spec(module) is None]
        present = not absent
        try:
            state = f"{version(package)} without {', '.join(absent)}" if absent else version(package)
        except PackageNotFoundError:
            state = "absent" if absent else "present"
        found.append(Finding(package, present, needed, state, purpose, "" if present else fix))
    if _installed("faiss-cpu") and _installed("faiss-gpu"):
        found.append(
            Finding(
                "faiss",
                False,
                True,
                "faiss-cpu and faiss-gpu both own the module faiss",
                "retrieval",
                "pip uninstall one of them",
            )
        )
    return found


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _reports() -> list[Finding]:
    from fhpt_bench.detectors.mediapipe import REPORTS_FROM, installed

    if installed() < REPORTS_FROM:
        return []
    state, fix = "reports its use to Google, without a switch", "pip install 'mediapipe>=0.10.30,<0.10.35'"
    return [Finding("mediapipe's privacy", False, False, state, "nothing; not built under FHPT_BENCH_OFFLINE=1", fix)]


def _libraries() -> list[Finding]:
    found = []
    for name, (purpose, debian) in LIBRARIES.items() if sys.platform == "linux" else ():
        present = ctypes.util.find_library(name) is not None
        found.append(
            Finding(
                f"lib{name}",
                present,
                False,
                "present" if present else "absent",
                purpose,
                "" if present else f"apt-get install {debian}",
            )
        )
    return found


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("accelerator", True, False, torch.cuda.get_device_name(), "speed only")
    return Finding(
        "accelerator",
        False,
        False,
        f"none; CPU with {torch.get_num_threads()} threads",
        "speed only: every column works on a CPU",
    )


def _networks() -> list[Finding]:
    from fhpt_bench import weights
    from fhpt_bench.show import protocol_weights

    wanted = set(protocol_weights("catwalk-v1"))
    found = []
    for network in weights.known():
        state = weights.status(network.name).state
        ok = state == "ready"
        needed_by = network.used_by + (" (catwalk-v1)" if network.name in wanted else "")
        found.append(
            Finding(
                f"network {network.name}",
                ok,
                False,
                state,
                needed_by,
                "" if ok else f"fhpt-bench weights pull {network.name}",
            )
        )
    return found


def _data() -> Finding:
    from fhpt_bench.datasets.catwalk import Catwalk
    from fhpt_bench.errors import BenchError

    try:
        return Finding(
            "catwalk",
            True,
            True,
            f"{len(Catwalk('test'))} test pairs, sha256 {Catwalk('test').sha256[:12]}",
            "the default run",
        )
    except BenchError as error:
        return Finding(
            "catwalk", False, True, str(error).splitlines()[0], "the default run", "install fhpt-bench again"
        )


def _disk() -> Finding:
    folder = paths.cache()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free > 1 << 30 and os.access(folder, os.W_OK)
    return Finding(
        "cache",
        ok,
        True,
        f"{paths.cache()} ({free / 2**30:.0f} GiB free)",
        "networks and features",
        "" if ok else "set FHPT_BENCH_CACHE to a folder with 1 GiB",
    )


def show(findings: list[Finding]) -> None:
    """Print as a table."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in ("", "what", "state", "used by", "how to get it"):
        table.add_column(column, overflow="fold")
    for f in findings:
        mark = "[green]ok[/]" if f.ok else ("[red]MISSING[/]" if f.needed else "[yellow]absent[/]")
        table.add_row(mark, escape(f.what), escape(f.state), escape(f.costs), escape(f.fix))
    Console().print(table)
