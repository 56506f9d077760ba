"""Every seam on one page: what the core and the control loop ask of the world, and how it may fail.

Ports are synchronous, run in threads. Adapters do not wait, retry or log: the effect runner does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from leitstand.core.finding import Line
from leitstand.core.model import ModelVersion
from leitstand.core.sealed import Sealed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from sqlalchemy import Connection

    from leitstand.core.placement import Offer, Requirements
    from leitstand.core.problem import Problem
    from leitstand.core.rented import Billed, Dollars, LogLine, Prepaid, Volume

    Rgb = npt.NDArray[np.uint8]
    Samples = npt.NDArray[np.float32]

T = TypeVar("T")


# --- time and identity ---------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of time; `now` is aware UTC, `monotonic` is seconds for periods."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class Ids(Protocol):
    """The only source of names and of randomness in `control`; seeded in simulations."""

    def new(self, noun: str, now: datetime) -> str: ...  # `<noun>_<ULID>`, sortable by time
    def draw(self, size: int) -> bytes: ...  # for tokens


# --- providers -----------------------------------------------------------------------------------


class Capability(Enum):
    """What a provider can do beyond launch, list and terminate."""

    PAUSE = "pause"
    SPOT = "spot"
    VOLUMES = "volumes"
    RESERVE = "reserve"
    SELF_END = "self-end"  # an instance is given a key that ends it and nothing else


class Status(Enum):
    """What a provider says of an instance; `UNKNOWN` changes no state."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    ENDING = "ending"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """One instance as a provider lists it."""

    provider_id: str
    label: str
    status: Status
    price_eur_per_hour: str | None = None  # with storage or without, as the provider says it
    gpu: str | None = None
    region: str | None = None
    raw: str | None = None  # the provider's own words for its status
    gpus: int | None = None
    bid: bool | None = None
    other_image: bool | None = None  # whether it runs another image than launches name
    asked: Dollars | None = None  # what `price_eur_per_hour` was before it was euros
    tier: str | None = None  # with an agreement and a known place
    doubtful: bool = False  # only its name says that it is ours: see control/orphans.py


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """All an instance is told: where to dial, whom to believe, who it is. Never a lasting secret."""

    url: str
    ca_sha256: str
    instance_id: str
    token: str = field(repr=False)
    end_by: datetime
    slots: int
    environment: Mapping[str, str]
    probe_seconds: float = 0.0  # how long it measures its speed before it is admitted
    mbit_per_s: float | None = None  # what it may use of the line


class Provider(Protocol):
    """Who rents out instances; one file in `providers/`, found by name through `connect(settings)`."""

    capabilities: frozenset[Capability]
    listing_lag: timedelta

    def offers(self, want: Requirements) -> Iterable[Offer]: ...
    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen: ...
    def list(self) -> Iterable[Seen]: ...
    def pause(self, provider_id: str) -> None: ...
    def resume(self, provider_id: str) -> None: ...
    def terminate(self, provider_id: str) -> None: ...


class Books(Protocol):
    """The money of an account at a provider, in euros; the last hour of a bill may still grow."""

    labelled: bool  # whether bills name the labels of instances

    def balance(self) -> Decimal: ...
    def billed(self, since: datetime, until: datetime) -> Iterable[Billed]: ...


class Storage(Protocol):
    """Volumes of an account, whoever's; a create may be UnknownOutcome, a delete repeated."""

    def volumes(self) -> Iterable[Volume]: ...
    def volume_price(self, size_gb: int) -> Decimal: ...
    def create_volume(self, name: str, size_gb: int, data_center: str) -> Volume: ...
    def delete_volume(self, volume_id: str) -> None: ...


class PaysAhead(Protocol):
    """A provider with RESERVE. A payment may be UnknownOutcome, and is never repeated."""

    def prepay(self, provider_id: str, amount_eur: Decimal) -> Prepaid: ...


class Rented(Provider, Protocol):
    """A provider of machines that are paid for; `logs` raises Unavailable while they are on their way."""

    @property
    def account(self) -> Books: ...
    def logs(self, provider_id: str, lines: int = 200) -> Iterable[LogLine]: ...


class ProviderError(Exception):
    """Base of what a provider call may raise; the subclass says what the caller does next."""


class NoCapacity(ProviderError):
    """The offer is gone: take the next one."""


class Unwanted(NoCapacity):
    """What came to be never starts, or `differs` from the offer: see to its end, take the next."""

    def __init__(self, message: str, seen: Seen, differs: bool = True) -> None:
        super().__init__(message)
        self.seen, self.differs = seen, differs


class RateLimited(ProviderError):
    """Later, after `retry_after` where it is known."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ProviderError):
    """Later: nothing happened, nothing answered."""


class UnknownOutcome(ProviderError):
    """The call may have taken effect: look by label before anything else."""

    def __init__(self, message: str, seen: Seen | None = None) -> None:
        super().__init__(message)
        self.seen = seen


class NoFunds(ProviderError):
    """Stop launching there and tell a person."""


class Unauthorized(ProviderError):
    """Stop launching there and tell a person."""


class Retired(ProviderError):
    """This generation of the provider's API is no more: stop launching there, tell a person."""


class Rejected(ProviderError):
    """The request was wrong: our bug."""


# --- keys and certificates -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """What a wrapped key is bound to; a row with any other of these values does not open it.
    `kind` is medium, result, case, model or payload."""

    tenant: str
    kind: str
    owner_id: str
    key_id: str
    epoch: int


class Vault(Protocol):
    """Keys and what they open; the only holder of the epoch key. `new_identity` is secret and public
    recipient for age; `release` is HPKE to the key a worker made at start, bound to `info`."""

    @property
    def epoch(self) -> int: ...
    def new_secret(self) -> bytes: ...
    def new_identity(self) -> tuple[bytes, str]: ...
    def wrap(self, secret: bytes, place: KeyPlace) -> bytes: ...
    def unwrap(self, wrapped: bytes, place: KeyPlace) -> bytes: ...
    def export(self, secret: bytes) -> str:
        """The secret as the public `age` tool takes it."""

    def seal(
        self, secret: bytes, table: str, row_id: str, version: int, key_id: str, document: Any
    ) -> Sealed: ...
    def unseal(
        self, secret: bytes, table: str, row_id: str, version: int, key_id: str, sealed: Sealed
    ) -> Any: ...
    def encrypt(self, recipient: str, chunks: Iterable[bytes]) -> Iterator[bytes]: ...
    def decrypt(self, secret: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]: ...
    def release(self, hpke_public: bytes, info: bytes, secret: bytes) -> bytes: ...


class Authority(Protocol):
    """The internal certificate authority of the worker channel; `serial` is a certificate's number."""

    sha256: str
    certificate_pem: bytes

    def sign_instance(self, csr_pem: bytes, instance_id: str, now: datetime) -> bytes: ...
    def serial(self, certificate_pem: bytes) -> str: ...
    def writer(
        self,
        certificate_pem: bytes,
        within: tuple[datetime, datetime],
        said: bytes,
        signature: bytes,
    ) -> str:
        """The instance that signed what is `said`, by a certificate of ours that was valid some time
        `within` these two moments. Raises ValueError."""


class HeadSigner(Protocol):
    """Signs ledger heads (C2SP checkpoint)."""

    @property
    def verifier_key(self) -> str: ...
    def sign_head(self, origin: str, size: int, root: bytes) -> str: ...


class HeadVerifier(Protocol):
    """Checks a signed head against the public key; needs nothing secret. `verify` is size and root;
    raises ValueError when the signature does not hold."""

    def verify(self, note: str) -> tuple[int, bytes]: ...


class ModelShelf(Protocol):
    """Model versions for workers: the `best` whose files are all here; size and reader of a file."""

    def best(self, family: str) -> ModelVersion | None: ...
    def open(self, sha256: str) -> tuple[int, Callable[[int, int], Iterator[bytes]]] | None: ...


class BootFiles(Protocol):
    """What a fresh machine fetches to become a worker, nothing secret: names and digests, and one of them."""

    def manifest(self) -> bytes | None: ...
    def built_at(self) -> datetime | None: ...
    def open(self, sha256: str) -> tuple[int, Callable[[int, int], Iterator[bytes]]] | None: ...


# --- store ---------------------------------------------------------------------------------------


class Database(Protocol):
    """One transaction at a time for whoever writes; statements live in `store/`. `failing` is why
    the last write could not be kept, None once a change was kept since; commits that changed
    nothing call no one."""

    @property
    def failing(self) -> Problem | None: ...
    def write(self, work: Callable[[Connection], T]) -> T: ...
    def read(self, work: Callable[[Connection], T]) -> T: ...
    def scrub(self) -> None:
        """Leave what was deleted or overwritten in no file; raises Problem to be tried again."""

    def after_commit(self, callback: Callable[[], None]) -> None: ...
    def named_lock(self, name: str) -> AbstractContextManager[bool]: ...


class Blobs(Protocol):
    """Where ciphertext lies. Names are object ids; bodies are age files. `names`: all, or those in a
    folder. `put_address`, where `addressed`: whoever has it may PUT that name for a while."""

    addressed: bool

    def put(self, name: str, body: Iterable[bytes]) -> None: ...
    def get(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]: ...
    def size(self, name: str) -> int | None: ...
    def delete(self, names: Sequence[str]) -> None: ...
    def names(self, under: str | None = None) -> Iterator[str]: ...
    def put_address(self, name: str, term: timedelta) -> str: ...


# --- analysis ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """A decoded picture. `rgb` is (height, width, 3) and valid until the next frame is taken;
    `scale` turns its pixels into pixels of the original as displayed."""

    time_us: int
    rgb: Rgb
    scale: float


class SegmentSource(Protocol):
    """One segment, decrypted in memory and decoded in a sandboxed child."""

    from_us: int
    to_us: int

    def frames(self, side_max: int) -> Iterator[VideoFrame]:
        """Frames inside the segment in order; an image is one frame at time 0."""

    def audio(self) -> tuple[int, Samples]:
        """Start in microseconds and mono samples at 16 kHz, margins included."""

    def gaps(self) -> Sequence[tuple[int, int, str]]:
        """What could not be read, after the frames or audio were taken: from_us, to_us, reason."""


class Model(Protocol):
    """A loaded model version as pipelines see it; calls from several threads share batches."""

    name: str
    version: str

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]: ...


class Loaded(Protocol):
    """What a family makes of one model's files."""

    batch_max: int

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Device:
    """Where inference runs: `cpu`, or `cuda` with an ordinal. `threads` bounds a CPU session."""

    kind: str = "cpu"
    ordinal: int = 0
    threads: int = 0


class Family(Protocol):
    """One kind of model; one file in `models/`, found by name. `load` opens no path, unpickles nothing."""

    def load(self, files: Mapping[str, bytes], device: Device) -> Loaded: ...


class Pipeline(Protocol):
    """Analysis of one modality; one file in `analysis/`, found by name."""

    def run(
        self,
        profile: str,
        source: SegmentSource,
        models: Mapping[str, Model],
        progress: Callable[[int], None],
    ) -> Iterator[Line]:
        """Findings of one segment. `models` is by family; `progress` takes units done."""
