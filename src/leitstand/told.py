"""What an adapter is told of the settings of its provider: texts by name."""

from __future__ import annotations

import json
from typing import Any

from leitstand.config import HostSettings, MoneySettings, ProviderSettings


def told(own: ProviderSettings, money: MoneySettings) -> dict[str, str]:
    """The settings of one provider as `connect` takes them; what is not set is absent."""
    said = {
        "price_eur_per_hour": own.price_eur_per_hour,
        "key_file": own.key_file,
        "base_url": own.base_url,
        "image": own.image,
        "agreement_file": own.agreement_file,
        "bids": "yes" if own.bids else None,
        "reserve": "yes" if own.reserve else None,
        "network": own.network,
        "hosts": json.dumps({n: _host(h) for n, h in own.hosts.items()}) if own.hosts else None,
        "usd_eur": money.usd_eur,
        "usd_eur_date": money.usd_eur_date,
    }
    return {name: str(value) for name, value in said.items() if value is not None}


def _host(host: HostSettings) -> dict[str, Any]:
    price = host.price_eur_per_hour
    return {
        "url": host.url,
        "certificates": host.certificates,
        "places": host.places,
        "disk_gib": host.disk_gib,
        "price_eur_per_hour": None if price is None else str(price),
        "gpu": host.gpu,
        "gpus": host.gpus,
        "vram_gib": host.vram_gib,
        "cuda": host.cuda,
        "compute_capability": host.compute_capability,
        "driver": host.driver,
    }
