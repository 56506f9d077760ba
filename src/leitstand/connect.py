"""Providers by name, as the settings set them up."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from decimal import Decimal

import leitstand.providers
from leitstand.config import Settings
from leitstand.core.problem import Exit, Problem
from leitstand.folders import Folders
from leitstand.ports import Provider
from leitstand.told import told

OWN = "local"
"""The provider that every installation has: this machine."""


def providers(settings: Settings, folders: Folders) -> dict[str, Provider]:
    """Every configured provider and this machine, by name."""
    return {name: connect(settings, folders, name) for name in sorted({OWN, *settings.providers})}


def bare(settings: Settings) -> Settings:
    """What it takes to list and to end: a key. No agreement is read, and where nobody set a rate a
    dollar is a euro."""
    money = settings.money
    rate = Decimal(1) if money.usd_eur is None else money.usd_eur
    providers = {
        name: own.model_copy(update={"agreement_file": None})
        for name, own in settings.providers.items()
    }
    return settings.model_copy(
        update={"money": money.model_copy(update={"usd_eur": rate}), "providers": providers}
    )


def connect(settings: Settings, folders: Folders, name: str) -> Provider:
    """One provider as it is set up: the module of its name in `providers/`. Raises Problem
    `unknown-provider`, and what it raises itself."""
    try:
        module = importlib.import_module(f"leitstand.providers.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"leitstand.providers.{name}":
            raise
        raise _unknown_provider(name) from error
    if not hasattr(module, "connect"):
        raise _unknown_provider(name)
    provider: Provider = module.connect(_provider_settings(settings, folders, name))
    return provider


def _unknown_provider(name: str) -> Problem:
    modules = pkgutil.iter_modules(leitstand.providers.__path__)
    known = ", ".join(sorted(module.name for module in modules if "_" not in module.name))
    return Problem("unknown-provider", Exit.USAGE, provider=name, known=known)


def _provider_settings(settings: Settings, folders: Folders, name: str) -> Mapping[str, str]:
    said = told(settings.provider(name), settings.money)
    if name == OWN:
        return said | {"cache_folder": str(folders.models), "log_folder": str(folders.logs)}
    return said
