"""From settings to a provider: what it is given, and what is said where something is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from leitstand import connect
from leitstand.config import Settings
from leitstand.core.problem import Problem
from leitstand.folders import Folders
from leitstand.ports import Capability, Rented
from leitstand.providers.runpod import RunPod
from leitstand.providers.vast import Vast
from tests.contracts.worlds import KEY

RENTED: tuple[type[Rented], ...] = (RunPod, Vast)
RATE = {"usd_eur": "0.92", "usd_eur_date": "2026-11-20"}


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(KEY)
    return str(path)


def connected(home: Path, name: str, money: dict[str, str], **own: Any) -> Any:
    folders = Folders.find({"LEITSTAND_HOME": str(home)})
    settings = Settings.model_validate({"providers": {name: own}, "money": money})
    return connect.providers(settings, folders)[name]


@pytest.mark.parametrize("name", ["runpod", "vast"])
def test_a_provider_is_found_by_its_name_and_given_its_settings(
    tmp_path: Path, key: str, name: str
) -> None:
    made: Rented = connected(tmp_path, name, RATE, key_file=key, bids=True)
    assert made.account
    assert (Capability.SPOT in made.capabilities) == (name == "vast")


@pytest.mark.parametrize(
    ("name", "money", "own", "code"),
    [
        ("runpod", RATE, {}, "provider-key-unset"),
        ("vast", RATE, {}, "provider-key-unset"),
        ("runpod", RATE, {"key_file": "/nowhere/key"}, "unreadable-path"),
        ("vast", RATE, {"key_file": "KEY", "agreement_file": "/nowhere"}, "unreadable-path"),
        ("runpod", {}, {"key_file": "KEY"}, "dollar-rate-unset"),
        ("vast", {}, {"key_file": "KEY"}, "dollar-rate-unset"),
        ("lambda", RATE, {}, "unknown-provider"),
        ("runpod_offers", RATE, {}, "unknown-provider"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    tmp_path: Path, key: str, name: str, money: dict[str, str], own: dict[str, str], code: str
) -> None:
    own = {setting: key if value == "KEY" else value for setting, value in own.items()}
    with pytest.raises(Problem) as refused:
        connected(tmp_path, name, money, **own)
    assert refused.value.code == code
    if code == "unknown-provider":
        assert refused.value.params["known"] == "docker, local, runpod, vast"


@pytest.mark.parametrize(
    "own",
    [
        {"image": "registry.example/python:3.12"},
        {"base_url": "http://provider.example"},
        {"base_url": "https://provider.example/v2"},
        {"key_fil": "/a/key"},
        {"image": "sha256:" + "0" * 64},
        {"hosts": {"a": {"url": "tcp://a:2376", "disk_gib": 1}}},
        {"hosts": {"a": {"url": "tcp://a:2376", "certificates": "/c"}}},
        {"hosts": {"a": {"url": "http://a:2375"}}},
        {"hosts": {"a": {"gpus": 2}}},
        {"hosts": {"A machine": {}}},
        {"network": "--privileged"},
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(own: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"providers": {"runpod": own}})


def test_own_machines_are_told_apart_by_name(tmp_path: Path) -> None:
    hosts = {"a": {"gpu": "NVIDIA L4", "gpus": 2, "price_eur_per_hour": "0.3"}, "b": {"places": 3}}
    image = "sha256:" + "0" * 64
    made = connected(tmp_path, "docker", {}, image=image, hosts=hosts, price_eur_per_hour="0.1")
    first, second = (engine.host for engine in made._engines.values())
    assert (first.name, first.gpu, first.places) == ("a", "NVIDIA L4", 2)
    assert (str(first.price_eur_per_hour), str(second.price_eur_per_hour)) == ("0.3", "0.1")
    assert (second.socket, second.places) == ("/var/run/docker.sock", 3)
