"""What the settings say to the control plane: rules of planning, and terms of keeping."""

from __future__ import annotations

from leitstand.boot.image import known
from leitstand.config import Settings
from leitstand.connect import OWN
from leitstand.control.plan import PlanRules
from leitstand.core.cost import spelled
from leitstand.core.job import FUSE
from leitstand.core.retention import Retention
from leitstand.folders import Folders


def plan_rules(settings: Settings, folders: Folders) -> PlanRules:
    """The rules that planning keeps to."""
    vram = settings.placement.vram_gib
    budgets = settings.budgets
    named = {OWN, *settings.providers}
    return PlanRules(
        vram_gib={"video": vram.video, "image": vram.image, "audio": vram.audio, FUSE: 0.0},
        cuda_min=settings.placement.cuda_min,
        disk_gib_min=settings.placement.disk_gib_min,
        own_disk_gib_min=settings.placement.own_disk_gib_min,
        end_by_hours_max={name: settings.provider(name).end_by_hours_max for name in named},
        price_max={name: settings.provider(name).max_price_eur_per_hour for name in named},
        regions={name: settings.provider(name).regions for name in named},
        budgets={
            "total": spelled(budgets.total_eur),
            "month": spelled(budgets.month_eur),
            "job": spelled(budgets.job_eur),
        },
        tiers={int(name): tier for name, tier in settings.placement.tiers.items()},
        instances_max=settings.placement.instances_max,
        own_first=settings.placement.own_first,
        burst=settings.placement.burst,
        images={name: image for name in named if (image := settings.provider(name).image)},
        image_dates={name: settings.provider(name).image_date for name in named},
        image_age_warn=settings.placement.image_age_warn,
        image_age_max=settings.placement.image_age_max,
        prebuilt=frozenset(n for n in named if known(folders.images, settings.provider(n).image)),
    )


def retention(settings: Settings) -> Retention:
    """How long each class of data is kept."""
    terms = settings.retention
    return Retention(terms.media, terms.failed_media, terms.inbox, terms.reports)
