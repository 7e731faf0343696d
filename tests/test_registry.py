"""From a name to a class: table, baselines, a real plugin's entry points, module:attr, file.py:attr."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhpt_bench import BenchError, registry

PLUGIN = {
    "pose_plugin.py": 'class Plugged:\n    """From a plugin."""\n    def generate(self, prompts):\n        return []\n',
    "pose_plugin-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: pose-plugin\nVersion: 1.0\n",
    "pose_plugin-1.0.dist-info/entry_points.txt": (
        "[fhpt_bench.generators]\nplugged = pose_plugin:Plugged\nbroken = pose_plugin:Absent\n"
    ),
}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, as pip lays it out."""
    for name, text in PLUGIN.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path


def test_every_built_in_name_leads_to_something():
    for kind, table in registry.BUILT_IN.items():
        for name in table:
            assert callable(registry.find(kind, name)), name


def test_entry_points_of_an_installed_package(plugin):
    assert "plugged" in registry.names("generators")
    assert registry.find("generators", "plugged").__name__ == "Plugged"
    with pytest.raises(BenchError, match="does not load"):
        registry.find("generators", "broken")


def test_module_and_file(plugin):
    assert registry.find("generators", "pose_plugin:Plugged").__name__ == "Plugged"
    first = registry.find("generators", f"{plugin}/site/pose_plugin.py:Plugged")
    assert first is registry.find("generators", f"{plugin}/site/pose_plugin.py:Plugged"), "one module a file"
    with pytest.raises(BenchError, match="Plugged"):
        registry.find("generators", "pose_plugin:Pluged")


def test_a_file_that_raises_says_so(tmp_path):
    (tmp_path / "bad.py").write_text("import numpy\n1 / 0\n")
    with pytest.raises(BenchError, match="ZeroDivisionError"):
        registry.find("generators", f"{tmp_path}/bad.py:X")
    (tmp_path / "needs.py").write_text("import no_such_package_at_all\n")
    with pytest.raises(BenchError, match="no_such_package_at_all"):
        registry.find("generators", f"{tmp_path}/needs.py:X")


def test_near_names_are_suggested():
    with pytest.raises(BenchError, match=r"did you mean .*copy-source"):
        registry.find("generators", "copysource")
    with pytest.raises(BenchError, match="lpips"):
        registry.find("metrics", "lpip")


def test_a_folder_of_baselines_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "mybase").mkdir()
    (tmp_path / "mybase" / "model.py").write_text("")
    (tmp_path / "mybase" / "__init__.py").write_text("def generator(device='cpu'):\n    return 1\n")
    import fhpt_bench.baselines

    monkeypatch.setattr(fhpt_bench.baselines, "__path__", [*fhpt_bench.baselines.__path__, str(tmp_path)])
    assert "mybase" in registry.names("generators")
    assert registry.find("generators", "mybase")() == 1
