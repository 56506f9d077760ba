"""`leitstand doctor`: what works here and what does not, with the remedy."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import leitstand
from leitstand.boot.files import BootFolder
from leitstand.cli.batch import libraries
from leitstand.cli.options import DEFAULT, Options
from leitstand.client import Client
from leitstand.config import Folders, Settings
from leitstand.core.dollars import rate_is_old
from leitstand.core.images import age_days
from leitstand.core.problem import Exit, Problem
from leitstand.embedded import answers
from leitstand.host.facts import measure
from leitstand.host.nvml import Gpus
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue
from leitstand.output import Output

DISK_GIB_MIN = 4.0
_MEDIA = ("av", "magika", "numpy", "PIL", "cv2", "onnxruntime", "faster_whisper", "jinja2")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mark`: ✓ well, – fine without, ! to improve, × broken."""

    name: str
    mark: str
    text: str


Check = Callable[[Output, Folders], Finding]


def doctor(*, options: Options = DEFAULT) -> int:
    """Show what works here and what does not, with the remedy."""
    output = options.output()
    found = list(_findings(output, Folders.find()))
    output.listing(
        "doctor",
        [{"name": one.name, "state": _STATES[one.mark], "text": one.text} for one in found],
    )
    for one in found:
        output.step(one.mark, output.say(f"cli-doctor-{one.name}"), one.text)
    count = {mark: sum(1 for one in found if one.mark == mark) for mark in _STATES}
    output.line(
        output.say(
            "cli-doctor-sum",
            good=count["✓"] + count["–"],
            improve=count["!"],
            broken=count["×"],
        )
    )
    return Exit.FAILED if count["×"] else Exit.DONE


_STATES = {"✓": "well", "–": "absent", "!": "improve", "×": "broken"}


def _findings(output: Output, folders: Folders) -> Iterator[Finding]:
    checks: list[tuple[str, Check]] = [
        ("python", _python),
        ("machine", _machine),
        ("folders", _folders),
        ("settings", _settings),
        ("media", _media),
        ("sandbox", _sandbox),
        ("gpu", _gpu),
        ("models", _models),
        ("image", _image),
        ("rate", _rate),
        ("providers", _providers),
        ("control", _control),
    ]
    for name, check in checks:
        try:
            yield check(output, folders)
        except Problem as problem:
            yield Finding(name, "×", _words(output, problem))
        except ImportError as error:
            missing = error.name or str(error)
            yield Finding(name, "×", output.say("cli-doctor-media-missing", names=missing))


def _words(output: Output, problem: Problem) -> str:
    told = output.texts.problem(problem.code, problem.params)
    return ". ".join(part for part in (told.what, told.do) if part)


def _python(output: Output, folders: Folders) -> Finding:
    machine = f"{platform.system()} {platform.machine()}"
    version = platform.python_version()
    text = output.say("cli-doctor-python-is", version=version, machine=machine)
    return Finding("python", "✓", text)


def _machine(output: Output, folders: Folders) -> Finding:
    folder = folders.data if folders.data.exists() else folders.data.anchor
    facts = measure(type(folders.data)(folder), Gpus())
    if facts.disk_free_gib < DISK_GIB_MIN:
        text = output.say(
            "cli-doctor-disk-low",
            disk=output.texts.gib(facts.disk_free_gib),
            needed=output.texts.gib(DISK_GIB_MIN),
        )
        return Finding("machine", "!", text)
    text = output.say(
        "cli-doctor-machine-is",
        cores=facts.cores,
        ram=output.texts.gib(facts.ram_free_gib),
        disk=output.texts.gib(facts.disk_free_gib),
    )
    return Finding("machine", "✓", text)


def _folders(output: Output, folders: Folders) -> Finding:
    folders.create()
    for folder in (folders.config, folders.state, folders.data, folders.cache, folders.run):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Problem("folder-unusable", folder=str(folder), detail=os.strerror(13))
    text = output.say("cli-doctor-folders-ok", folder=str(folders.state))
    return Finding("folders", "✓", text)


def _settings(output: Output, folders: Folders) -> Finding:
    Settings.load(folders)
    file = folders.settings_file
    present = "yes" if file.exists() else "no"
    text = output.say("cli-doctor-settings-ok", file=str(file), present=present)
    return Finding("settings", "✓", text)


def _media(output: Output, folders: Folders) -> Finding:
    missing = [name for name in _MEDIA if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        return Finding("media", "×", output.say("cli-doctor-media-missing", names=names))
    libraries()
    av = importlib.import_module("av")
    names = ", ".join(f"{name} {_version(name)}" for name in ("av", "onnxruntime"))
    avcodec = av.library_versions.get("libavcodec", ())
    named = f"{names}, libavcodec {'.'.join(str(part) for part in avcodec)}"
    return Finding("media", "✓", output.say("cli-doctor-media-ok", names=named))


def _version(name: str) -> str:
    return str(getattr(importlib.import_module(name), "__version__", "?"))


def _sandbox(output: Output, folders: Folders) -> Finding:
    abilities: dict[str, Any] = importlib.import_module("leitstand.media.sandbox").abilities()
    missing = ", ".join(name for name, present in abilities.items() if not present)
    if missing:
        return Finding("sandbox", "×", output.say("cli-doctor-sandbox-lacks", missing=missing))
    names = ", ".join(abilities)
    return Finding("sandbox", "✓", output.say("cli-doctor-sandbox-ok", abilities=names))


def _gpu(output: Output, folders: Folders) -> Finding:
    found, visibility = Gpus().look()
    if not found:
        text = output.say("cli-doctor-gpu-none")
        return Finding("gpu", "–", f"{text} ({visibility})" if output.verbose else text)
    names = ", ".join(f"{gpu.name} {output.texts.gib(gpu.vram_gib or 0)}" for gpu in found)
    return Finding("gpu", "✓", output.say("cli-doctor-gpu-is", names=names))


def _models(output: Output, folders: Folders) -> Finding:
    catalogue, cache = Catalogue.load(), ModelCache(folders.models)
    default = [catalogue.get(name) for name in catalogue.default_set()]
    missing = [entry for entry in default if not entry.complete(cache)]
    here, total = len(default) - len(missing), len(default)
    if not missing:
        return Finding("models", "✓", output.say("cli-doctor-models-ok", count=here, total=total))
    size = sum(
        catalogue.size(archive, sources) for archive, sources in catalogue.archives(missing).items()
    )
    text = output.say(
        "cli-doctor-models-some", count=here, total=total, size=output.texts.size(size)
    )
    return Finding("models", "!", text)


def _image(output: Output, folders: Folders) -> Finding:
    """How old is what rented machines start from."""
    settings, now = Settings.load(folders), datetime.now(UTC)
    dates = {name: one.image_date for name, one in settings.providers.items() if one.image}
    if not dates:
        return Finding("image", "–", output.say("cli-doctor-image-none"))
    built = BootFolder(folders.boot).built_at()
    ages = {name: age_days(made, built, now) for name, made in sorted(dates.items())}
    told = ", ".join(f"{name}: {'?' if days is None else days} d" for name, days in ages.items())
    most = settings.placement.image_age_max.days
    worst = max((math.inf if days is None else days) for days in ages.values())
    if worst > settings.placement.image_age_warn.days:
        text = output.say("cli-doctor-image-old", ages=told, most=most)
        return Finding("image", "×" if worst > most else "!", text)
    return Finding("image", "✓", output.say("cli-doctor-image-ok", ages=told))


def _providers(output: Output, folders: Folders) -> Finding:
    """Whether each can be connected: what its settings name is there. None of them is asked."""
    settings = Settings.load(folders)
    if not settings.providers:
        return Finding("providers", "–", output.say("cli-doctor-providers-none"))
    connect, broken = importlib.import_module("leitstand.connect").connect, []
    for name in sorted(settings.providers):
        try:
            connect(settings, folders, name)
        except Problem as problem:
            broken.append(f"{name}: {_words(output, problem)}")
        except Exception as error:
            broken.append(f"{name}: {type(error).__name__}: {error}")
    if broken:
        return Finding("providers", "×", "; ".join(broken))
    names = ", ".join(sorted(settings.providers))
    return Finding("providers", "✓", output.say("cli-doctor-providers-ok", names=names))


def _rate(output: Output, folders: Folders) -> Finding:
    """What makes euros of a provider's dollars."""
    money = Settings.load(folders).money
    if money.usd_eur is None:
        return Finding("rate", "–", output.say("cli-doctor-rate-none"))
    day = "none" if money.usd_eur_date is None else str(money.usd_eur_date)
    old = rate_is_old(money.usd_eur_date, datetime.now(UTC))
    name = "cli-doctor-rate-old" if old else "cli-doctor-rate-ok"
    text = output.say(name, rate=f"{money.usd_eur:f}", day=day)
    return Finding("rate", "!" if old else "✓", text)


def _control(output: Output, folders: Folders) -> Finding:
    url = Settings.load(folders).server.url
    if url is None and not answers(folders.socket):
        return Finding("control", "–", output.say("cli-doctor-control-idle"))
    client = Client.over_socket(folders.socket) if url is None else Client.over_url(url)
    with client:
        version = str(client.get("/health").get("version"))
        client.get("/cases", limit=1)  # it may answer and its database not
    where, ours = client.where, leitstand.__version__
    if version != ours:
        text = output.say("cli-doctor-control-old", version=version, where=where, ours=ours)
        return Finding("control", "!", text)
    text = output.say("cli-doctor-control-up", version=version, where=where)
    return Finding("control", "✓", text)
