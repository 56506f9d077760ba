"""What a control plane writes down before it serves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leitstand.startup import installation


def test_an_installation_keeps_its_name(tmp_path: Path) -> None:
    name = installation(tmp_path / "installation")
    assert len(name) == 8
    assert installation(tmp_path / "installation") == name


def test_a_failed_write_leaves_no_installation_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no space"):
            installation(tmp_path / "installation")
    assert list(tmp_path.iterdir()) == []
    assert len(installation(tmp_path / "installation")) == 8
