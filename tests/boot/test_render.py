"""One bootstrap in three forms: within the bounds of each provider, and without a word to quote."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leitstand import launch
from leitstand.boot import firewall, program, render
from leitstand.ports import LaunchSpec

TOKEN = "canary-" + "t" * 43
DIGEST = "5" * 64
WAYS = [firewall.way("https://leitstand.example:8443", ["203.0.113.7", "2001:db8::7"])]


def spec(**changes: Any) -> LaunchSpec:
    told: dict[str, Any] = {
        "url": "https://leitstand.example:8443",
        "ca_sha256": "a" * 64,
        "instance_id": "instance_01JDABCDEFGHJKMNPQRSTVWXYZ",
        "token": TOKEN,
        "end_by": datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
        "slots": 2,
        "environment": {launch.MANIFEST_VARIABLE: DIGEST},
    }
    return LaunchSpec(**(told | changes))


def told(environment: dict[str, str]) -> launch.WorkerSpec:
    return launch.decode(program.told(environment))


def test_what_is_told_arrives_as_the_worker_reads_it() -> None:
    made = render.bootstrap(spec(), "/models")
    found = told(dict(made.environment))
    assert found == launch.decode(launch.encode(spec(), "/models"))
    assert (found.token, found.cache_folder) == (TOKEN, "/models")
    assert made.environment[program.MANIFEST] == DIGEST


def test_the_program_names_what_the_rest_of_the_code_names() -> None:
    assert program.SPEC == launch.VARIABLE
    assert program.MANIFEST == launch.MANIFEST_VARIABLE


def test_every_form_says_the_same_and_keeps_its_providers_bounds() -> None:
    pod, contract = render.runpod(spec()), render.vast(spec())
    assert (
        pod["entrypoint"] + pod["cmd"] == contract["args"] == ["/bin/sh", "-c", render.SHELL_LINE]
    )
    ends = {program.END_URL, program.END_KEY, program.END_BODY}
    assert {name for name, _ in pod["env"].items() ^ contract["env"].items()} == ends
    assert contract["runtype"] == "args"
    assert sum(map(len, contract["args"])) <= render.VAST_COMMAND_MAX
    assert max(map(len, contract["env"].values())) <= render.VALUE_MAX
    assert sum(len(k) + len(v) for k, v in contract["env"].items()) <= render.VARIABLES_MAX
    assert len(json.dumps(pod)) <= render.RUNPOD_BODY_MAX


def test_nothing_in_a_variable_needs_quoting() -> None:
    for value in render.bootstrap(spec()).environment.values():
        assert re.fullmatch(r"[A-Za-z0-9+/=,._-]*", value)


def test_the_token_is_in_no_form_readable_and_in_no_repr() -> None:
    for form in (render.runpod(spec()), render.vast(spec()), render.cloud_init(spec(), WAYS)):
        assert TOKEN not in str(form)
    assert program.PART not in repr(render.bootstrap(spec()))


def test_what_travels_is_the_program_without_its_comments() -> None:
    parts = render.bootstrap(spec()).environment
    packed = "".join(parts.get(f"{program.PROGRAM}{n}", "") for n in range(program.PARTS_MAX))
    source = zlib.decompress(base64.b64decode(packed)).decode()
    compile(source, "boot", "exec")
    assert '"""' not in source and "pin must come" not in source
    assert "-> " not in source


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {launch.MANIFEST_VARIABLE: "not a digest"},
        {launch.MANIFEST_VARIABLE: DIGEST, "-p 22:22": "1"},
        {launch.MANIFEST_VARIABLE: DIGEST, "LONG": "x" * 257},
        {launch.MANIFEST_VARIABLE: DIGEST, "LINES": "a\nb"},
    ],
)
def test_what_a_provider_would_misread_is_refused_here(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        render.bootstrap(spec(environment=environment))


def test_a_launch_spec_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError):
        render.bootstrap(spec(url="https://" + "x" * 20_000))


# --- virtual machines ------------------------------------------------------------------------------


def judged(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What cloud-init itself says of user data."""
    path = folder / "user-data"
    path.write_text(text, "utf-8")
    command = ["cloud-init", "schema", "--config-file", str(path)]
    return subprocess.run(command, capture_output=True, text=True)


def test_user_data_are_what_cloud_init_takes(tmp_path: Path) -> None:
    text = render.cloud_init(spec(), WAYS)
    ran = judged(tmp_path, text)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    broken = text.replace('"permissions": "0600"', '"permissions": 600')
    assert judged(tmp_path, broken).returncode != 0


def test_a_virtual_machine_keeps_what_it_is_told_in_memory_and_from_other_users() -> None:
    document = json.loads(render.cloud_init(spec(), WAYS).partition("\n")[2])
    files = {file["path"]: file for file in document["write_files"]}
    assert all(path.startswith("/run/") for path in files)
    environment = files["/run/leitstand/environment"]
    assert environment["permissions"] == "0600"
    lines = dict(line.split("=", 1) for line in environment["content"].splitlines())
    assert lines == dict(render.bootstrap(spec()).environment)
    assert files["/run/leitstand/boot.sh"]["content"] == render.SHELL_LINE + "\n"
    unit = files["/run/systemd/system/leitstand-worker.service"]["content"]
    assert "User=leitstand\n" in unit
    assert "EnvironmentFile=/run/leitstand/environment\n" in unit
    assert "Requires=leitstand-firewall.service\n" in unit
    assert files["/run/leitstand/firewall.nft"]["content"] == firewall.nftables(WAYS)
    names = files["/run/leitstand/hosts"]["content"].splitlines()
    assert names[2:] == ["203.0.113.7 leitstand.example", "2001:db8::7 leitstand.example"]


def test_a_virtual_machine_installs_security_updates_by_itself() -> None:
    document = json.loads(render.cloud_init(spec(), WAYS).partition("\n")[2])
    assert "unattended-upgrades" in document["packages"]
    settings = document["apt"]["conf"]
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in settings
    assert ["systemctl", "start", "--no-block", "apt-daily-upgrade.service"] in document["runcmd"]


@pytest.mark.parametrize(
    "ways",
    [
        [],
        [firewall.way("https://leitstand.example", ["203.0.113.7"])],
        [firewall.way("https://blobs.example:8443", ["203.0.113.7"])],
    ],
)
def test_a_virtual_machine_without_a_way_to_its_control_plane_is_refused(
    ways: list[firewall.Way],
) -> None:
    with pytest.raises(ValueError, match="no way"):
        render.cloud_init(spec(), ways)


def test_a_way_needs_an_address() -> None:
    for url, addresses in (("https://leitstand.example", []), ("leitstand.example", ["::1"])):
        with pytest.raises(ValueError, match="no way"):
            firewall.way(url, addresses)
    with pytest.raises(ValueError):
        firewall.nftables([firewall.way("https://a.example", ["a.example; drop"])])
