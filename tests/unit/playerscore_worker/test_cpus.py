"""The CPU limit of a container is found in both generations of cgroups."""

from pathlib import Path

import pytest

from playerscore_worker.cpus import cpu_limit


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"cpu.max": "100000 100000"}, 1, id="one CPU"),
        pytest.param({"cpu.max": "50000 100000"}, 1, id="half a CPU is one thread"),
        pytest.param(
            {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1, id="version 1"
        ),
    ],
)
def test_the_quota_limits_the_cpus(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)

    assert cpu_limit(tmp_path) == expected


@pytest.mark.parametrize("content", ["max 100000", "6400000 100000"], ids=["no limit", "more than there are"])
def test_without_a_tight_quota_the_machine_decides(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpu.max").write_text(content)

    assert cpu_limit(tmp_path) == cpu_limit(tmp_path / "nothing-here") >= 1
