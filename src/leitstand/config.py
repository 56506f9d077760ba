"""Where things lie and how the installation is set up: `Folders` and one frozen `Settings`.

Settings come from `leitstand.toml` in the configuration folder; a variable
`LEITSTAND_<SECTION>__<KEY>` wins over the file. They are read once, at start. A key nobody knows is
an error that names its line, because a misspelt limit is a limit that does not hold.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from leitstand import shapes
from leitstand.core import limits
from leitstand.core.images import to_come
from leitstand.core.problem import Exit, Problem
from leitstand.folders import Folders
from leitstand.shapes import (
    NETWORK,
    PINNED,
    Duration,
    Euros,
    HostName,
    HostSettings,
    Listen,
    Origin,
    Section,
    every_address,
)

__all__ = ["Folders", "HostSettings", "Settings"]

_PREFIX = "LEITSTAND_"


# --- sections ------------------------------------------------------------------------------------


class ServerSettings(Section):
    """`url`: the control plane that commands talk to; without it they start an embedded one."""

    url: Origin | None = None


class WorkerSettings(Section):
    """`listen`: where workers dial in. `advertise_url`: what they are told to dial. `slots`: tasks
    at once on one instance. `probe_seconds`: how long a machine with a GPU measures its speed before
    it is admitted. `mbit_per_s`: what one machine elsewhere may use of the line."""

    listen: Listen = "127.0.0.1:0"
    advertise_url: shapes.DialledOrigin | None = Field(default=None, validate_default=True)
    slots: Annotated[int, Field(ge=1, le=limits.SLOTS_MAX)] = 1
    probe_seconds: Annotated[float, Field(ge=0, le=60)] = 10.0
    mbit_per_s: Annotated[float, Field(ge=1)] | None = None

    @field_validator("advertise_url")
    @classmethod
    def _dialled(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Every address of this machine is none that a worker can dial."""
        listen = str(info.data.get("listen", ""))
        if value is None and every_address(listen.rpartition(":")[0].strip("[]")):
            raise ValueError(
                f'must say what workers dial, because worker.listen = "{listen}" is every address'
                " of this machine"
            )
        return value


class StoreSettings(Section):
    """`url`: `sqlite:////path` or `postgresql://…`; None: `state/leitstand.db`."""

    url: shapes.StoreUrl | None = None


class BlobSettings(Section):
    """`url`: a folder or an address that obstore knows; None: `data/blobs`."""

    url: shapes.BlobsUrl | None = None


class KeySettings(Section):
    """`root`: where the epoch keys lie; `file:` is `data/keys`."""

    root: shapes.KeyRoot = "file:"


class ProviderSettings(Section):
    """What the adapter `providers/<name>.py` is given. `price_eur_per_hour` is the price of own
    machines; secrets are named by file, never written here. `agreement_file`: the processing
    agreement. `bids`: machines that whoever bids more takes are offered too. `reserve`: a person may
    pay ahead. `volumes`: GB by data centre. `hosts`: own machines; `network`: of their containers."""

    key_file: str | None = None
    base_url: Origin | None = None
    image: Annotated[str, Field(pattern=PINNED)] | None = None
    image_date: date | None = None
    agreement_file: str | None = None
    bids: bool = False
    reserve: bool = False
    regions: tuple[str, ...] = ()
    max_price_eur_per_hour: Euros | None = None
    price_eur_per_hour: Euros = Decimal(0)
    volumes: dict[str, Annotated[int, Field(ge=10, le=4096)]] = Field(default_factory=dict)
    end_by_hours_max: Annotated[float, Field(gt=0)] = 24.0
    hosts: dict[HostName, HostSettings] = Field(default_factory=dict)
    network: Annotated[str, Field(pattern=NETWORK)] = "bridge"


class VramSettings(Section):
    """VRAM in GiB that a modality needs where no measured need of its models is known."""

    video: Annotated[float, Field(ge=0)] = 24.0
    image: Annotated[float, Field(ge=0)] = 16.0
    audio: Annotated[float, Field(ge=0)] = 8.0


class PlacementSettings(Section):
    """`image_age_warn` and `image_age_max`: from which age of what a rented machine starts from people
    are told, and from which it sees no persons. `tiers`: the worst trust tier that may see media of
    each data class. `instances_max`: what one job may use at once. `segments_per_task`: how many
    segments one attempt covers at most. `own_first`: the data class from which own machines come
    before rented ones, and `burst`: when a job of such a class rents all the same."""

    disk_gib_min: Annotated[float, Field(ge=0)] = limits.DISK_GIB_MIN_RENTED
    own_disk_gib_min: Annotated[float, Field(ge=0)] = limits.DISK_GIB_MIN_OWN
    instances_max: Annotated[int, Field(ge=1, le=64)] = 1
    segments_per_task: Annotated[int, Field(ge=1, le=1000)] = limits.SEGMENTS_PER_TASK
    vram_gib: VramSettings = VramSettings()
    cuda_min: str = "11.8"
    image_age_warn: Duration = limits.IMAGE_AGE_WARN
    image_age_max: Duration = limits.IMAGE_AGE_MAX
    own_first: Annotated[int, Field(ge=0, le=4)] = 2
    burst: Literal["full", "late"] = "full"
    tiers: shapes.WorstTiers = Field(default_factory=lambda: dict(shapes.TIERS))


class MoneySettings(Section):
    """`usd_eur`: euros for a dollar on the day `usd_eur_date`; providers that ask dollars need it."""

    usd_eur: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    usd_eur_date: date | None = None


class BudgetSettings(Section):
    """Caps in euros; None: no cap."""

    total_eur: Euros | None = None
    month_eur: Euros | None = None
    job_eur: Euros | None = None


class RetentionSettings(Section):
    """How long each class of data is kept. The case `inbox` erases media when its job ends."""

    media: Duration = limits.MEDIA_AFTER_SUCCESS
    failed_media: Duration = limits.MEDIA_AFTER_FAILURE
    inbox: Duration = limits.MEDIA_OF_HELD_INBOX
    reports: Duration = limits.REPORTS_KEPT
    volumes: Duration = limits.VOLUMES_IDLE


class MediaSettings(Section):
    """Bounds of intake; what is over them is refused by name."""

    segment_seconds: Annotated[float, Field(ge=1, le=600)] = limits.SEGMENT_SECONDS
    segment_mib_max: Annotated[int, Field(ge=1)] = limits.SEGMENT_BYTES_MAX // limits.MIB
    pixels_max: Annotated[int, Field(ge=1)] = limits.PIXELS_MAX
    seconds_max: Annotated[float, Field(gt=0)] = limits.MEDIA_SECONDS_MAX


class ReportSettings(Section):
    """`lang`: the language of reports; None: that of whoever asks."""

    lang: Literal["en", "de"] | None = None


class Settings(BaseSettings):
    """Everything that can be set, read once by `Settings.load` and passed on."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    store: StoreSettings = StoreSettings()
    blobs: BlobSettings = BlobSettings()
    keys: KeySettings = KeySettings()
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    placement: PlacementSettings = PlacementSettings()
    money: MoneySettings = MoneySettings()
    budgets: BudgetSettings = BudgetSettings()
    retention: RetentionSettings = RetentionSettings()
    media: MediaSettings = MediaSettings()
    report: ReportSettings = ReportSettings()

    @field_validator("providers")
    @classmethod
    def _to_be_had(cls, value: dict[str, ProviderSettings]) -> dict[str, ProviderSettings]:
        """An image id names what one engine has, and no image is made tomorrow; volumes that outlive
        machines are RunPod's."""
        for name, own in value.items():
            if own.image and own.image.startswith("sha256:") and name != "docker":
                raise ValueError(
                    f'{name}.image must name a place to fetch it from: "name@sha256:…"'
                )
            if own.image_date and to_come(own.image_date, datetime.now(UTC)):
                raise ValueError(f"{name}.image_date is a day to come")
            if own.volumes and name != "runpod":
                raise ValueError(f"{name}.volumes: that provider has none that outlive a machine")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # `load` merges file and environment itself, to name the place

    @classmethod
    def load(cls, folders: Folders | None = None) -> Self:
        """File and environment of this user. Raises Problem with exit 2 that names the place:
        unknown-setting, bad-setting, unknown-variable, bad-variable, and those of `Folders.settings_text`."""
        place = folders or Folders.find()
        path, text = place.settings_file, place.settings_text()
        try:
            written = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            raise Problem(
                "bad-setting",
                Exit.USAGE,
                file=str(path),
                line=int(line[1]) if line else len(text.splitlines()),
                detail=str(error),
            ) from error
        env = _variables(os.environ, cls)
        try:
            return cls(**_merge(written, env))
        except ValidationError as error:
            raise _problem(error, env, path, text) from error

    def provider(self, name: str) -> ProviderSettings:
        """The settings of one provider, defaults where nothing is written."""
        return self.providers.get(name, ProviderSettings())


def _variables(environ: Mapping[str, str], settings: type[BaseSettings]) -> Mapping[str, Any]:
    """What the environment sets, read one variable at a time, so that a bad one is named."""
    source = EnvSettingsSource(settings, env_prefix=_PREFIX, env_nested_delimiter="__")
    found: dict[str, Any] = {}
    for name in sorted(name for name in environ if name.upper().startswith(_PREFIX)):
        _check_variable(name, settings)
        source.env_vars = {name.lower(): environ[name]}
        try:
            found = _merge(found, source())
        except SettingsError as error:
            detail = 'must be JSON, such as ["EU-RO-1"]'
            raise Problem("bad-variable", Exit.USAGE, name=name, detail=detail) from error
    return found


def _check_variable(name: str, settings: type[BaseSettings]) -> None:
    """Raises Problem `unknown-variable` for one that looks like a setting and is none."""
    section, nested, _ = name.upper().removeprefix(_PREFIX).partition("__")
    known = {field.upper() for field in settings.model_fields}
    if section not in known if nested else section.partition("_")[0] in known - {section}:
        raise Problem("unknown-variable", Exit.USAGE, given=name)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[key] = _merge(under, value) if both else value  # type: ignore[arg-type]
    return merged


def _problem(error: ValidationError, env: Mapping[str, Any], path: Path, text: str) -> Problem:
    first = error.errors()[0]
    keys = tuple(str(key) for key in first["loc"])
    detail = first["msg"].removeprefix("Value error, ")
    unknown = first["type"] == "extra_forbidden"
    if _present(env, keys):
        name = _PREFIX + "__".join(keys).upper()
        if unknown:
            return Problem("unknown-variable", Exit.USAGE, given=name)
        return Problem("bad-variable", Exit.USAGE, name=name, detail=detail)
    dotted, line = ".".join(keys), line_of(text, keys) or 1
    if unknown:
        near = _similar(keys) or "none"
        return Problem(
            "unknown-setting", Exit.USAGE, file=str(path), line=line, given=dotted, near=near
        )
    return Problem(
        "bad-setting", Exit.USAGE, file=str(path), line=line, detail=f"{dotted}: {detail}"
    )


def _present(env: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    here: Any = env
    for key in keys:
        if not isinstance(here, Mapping) or key not in here:
            return False
        here = here[key]
    return True


def _similar(keys: tuple[str, ...]) -> str | None:
    section: type[BaseModel] = Settings
    for key in keys[:-1]:
        if section is Settings and key == "providers":
            section = ProviderSettings
            break
        kind = section.model_fields[key].annotation if key in section.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return None
        section = kind
    close = difflib.get_close_matches(keys[-1], list(section.model_fields), n=1)
    return close[0] if close else None


_TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def line_of(text: str, keys: tuple[str, ...]) -> int | None:
    """The line (from 1) of TOML `text` that names `keys`, or its nearest named parent."""
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TABLE.match(line):
            table = _split(found[1])
            named = table
        elif found := _KEY.match(line):
            named = table + _split(found[1])
        else:
            continue
        depth = min(len(named), len(keys))
        if named[:depth] == keys[:depth] and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best else None


def _split(dotted: str) -> tuple[str, ...]:
    parts = re.findall(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""", dotted)
    return tuple(part.strip("\"'") for part in parts)
