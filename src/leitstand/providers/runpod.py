"""RunPod as a provider, over its REST v2: an offer is a GPU type in a place, an instance is a pod.

Nothing here waits, retries or logs. A create is sent once; whatever its answer leaves open is settled
by label. Spot is absent: RunPod ends it, and REST v2 has none. Prices are dollars at RunPod and euros
beyond this file.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
from httpx_sse import EventSource

from leitstand.boot import render
from leitstand.core.offer import Offer, Requirements
from leitstand.core.rented import Dollars, LogLine
from leitstand.launch import LABEL_PREFIX
from leitstand.ports import (
    Capability,
    LaunchSpec,
    NoCapacity,
    ProviderError,
    Rejected,
    Seen,
    Status,
    Unavailable,
    UnknownOutcome,
    Unwanted,
)
from leitstand.providers.runpod_account import Account
from leitstand.providers.runpod_answers import (
    GONE,
    STATUSES,
    TEXTS,
    LogEvent,
    Named,
    Pod,
    Pods,
)
from leitstand.providers.runpod_offers import GB_PER_GIB, PROVIDER, Catalogue, tier_of
from leitstand.wire.call import Reply, Wire, refusal
from leitstand.wire.key import has_agreement, read_key
from leitstand.wire.money import read_rate
from leitstand.wire.pace import Pace, Quota, Rank
from leitstand.wire.shape import parsed

ORIGIN = "https://api.runpod.io"
QUOTAS = (Quota(60, 60), Quota(3000, 3600), Quota(50_000, 86_400))
"""Of a user over all calls, until answers say otherwise (OpenAPI 2.0.0, rate limits)."""
BODY_BYTES_MAX = 102_400
SAME_REFUSAL_MAX = 3
"""So many different offers refused in the same unknown words are a fault of the request."""
WORDINGS_MAX = 32
LOG_BYTES_MAX, LOG_IDLE_SECONDS, LOG_LINES_MAX = 1 << 20, 2.0, 5000
CONTRADICTS = "name and environment differ"
MODELS_FOLDER = "/models"
"""Where a network volume is mounted. Nothing but verified models is ever on it."""
LABEL, INSTANCE = "LEITSTAND_LABEL", "LEITSTAND_INSTANCE_ID"
"""Variables that say whose a pod is: names are not unique and can be changed."""


def connect(settings: Mapping[str, str]) -> RunPod:
    """The provider behind a key.

    Settings: `key_file` (mode 0600) and `usd_eur` (euros for a dollar), both needed; `usd_eur_date`,
    `base_url`, `image` (needed to launch), `agreement_file` (a processing agreement: without it no
    tier B). Raises Problem about the key file, Rejected about the rest.
    """
    return RunPod(settings)


class RunPod:
    """See `ports.Provider`. `account` is what lies beside the port. Safe to use from several threads."""

    capabilities = frozenset({Capability.PAUSE, Capability.VOLUMES, Capability.SELF_END})
    listing_lag = timedelta(seconds=30)
    """After a create a pod can be missing for seconds; how many is not documented."""

    def __init__(
        self,
        settings: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = read_rate(settings)
        self._image = settings.get("image")
        self._monotonic = monotonic
        pace = Pace({"": QUOTAS}, monotonic, sleep)
        key = read_key(PROVIDER, settings.get("key_file"))
        address = settings.get("base_url") or ORIGIN
        self._wire = Wire(address, key, pace, transport, monotonic)
        self.account = Account(self._wire, self._rate)
        self.agreed = has_agreement(settings.get("agreement_file"))
        self._catalogue = Catalogue(self.account, self._rate, self.agreed, monotonic)
        self._born: dict[str, float] = {}
        self._unexplained: dict[str, set[str]] = {}

    def offers(self, want: Requirements) -> Iterable[Offer]:
        """Types in stock, by cloud and data centre."""
        return self._catalogue.offers(want)

    # --- launch ----------------------------------------------------------------------------------

    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        """One POST. A pod that is not what was offered is asked to end here, and is Unwanted."""
        if not label.startswith(LABEL_PREFIX):
            raise Rejected("the label has no prefix of ours")
        if not self._image:
            raise Rejected("no image is set")
        kind, count, cloud, place = _parts(offer)
        try:
            boots = render.runpod(spec, MODELS_FOLDER if offer.volume else None)
        except ValueError as error:
            raise Rejected(str(error)) from error
        boots["env"] |= {INSTANCE: spec.instance_id, LABEL: label}
        body: dict[str, Any] = {
            "name": label,
            "image": self._image,
            "gpu": {
                "id": kind,
                "count": count,
                "minRamPerGpu": math.floor(offer.ram_gib * GB_PER_GIB / count + 1e-6),
                "minVcpuCountPerGpu": offer.cores // count,
            },
            "cloud": cloud,
            "disk": math.ceil(offer.disk_gib * GB_PER_GIB - 1e-6),
            "startSsh": False,
            "startJupyter": False,
            **boots,
        }
        if offer.cuda:
            body["gpu"]["minCudaVersion"] = offer.cuda
        if place:
            body["dataCenterIds"] = [place]
        if offer.volume:
            body["mounts"] = {"network": [{"volumeId": offer.volume, "path": MODELS_FOLDER}]}
        if len(json.dumps(body).encode()) > BODY_BYTES_MAX:
            raise Rejected("the launch spec is larger than RunPod takes")
        self._wire.keep_out(spec.token)
        secrets = list(body["env"].values())
        reply = self._wire.call(
            Rank.CREATE, "launch", "POST", "/v2/pods", body=body, creating=True, secrets=secrets
        )
        if not reply.good:
            raise self._refused(offer, reply)
        return self._as_offered(reply, offer, label)

    def _refused(self, offer: Offer, reply: Reply) -> ProviderError:
        """A 400 in words that nobody knows speaks of this offer, until several offers have met the
        same words: then of the request."""
        error = refusal(reply, TEXTS, creating=True)
        words = reply.detail.lower()
        if reply.status == 404 and offer.volume:
            return NoCapacity("the volume of this offer is gone")
        if reply.status != 400 or any(fragment in words for fragment, _ in TEXTS):
            return error
        if len(self._unexplained) >= WORDINGS_MAX:
            self._unexplained.clear()
        met = self._unexplained.setdefault(words, set())
        met.add(offer.offer_id)
        return error if len(met) >= SAME_REFUSAL_MAX else NoCapacity(str(error))

    def _as_offered(self, reply: Reply, offer: Offer, label: str) -> Seen:
        try:
            made = parsed(Named, reply.body)
        except Unavailable as error:
            raise UnknownOutcome(f"a create that says not what it made: {error}") from None
        self._born[made.id] = self._monotonic()
        self._unexplained.clear()
        try:
            pod = parsed(Pod, reply.body)
        except Unavailable as error:
            seen = Seen(made.id, label, Status.UNKNOWN)
            raise UnknownOutcome(f"a create of another shape: {error}", seen) from None
        seen = self._seen(pod, label)
        differs = self._differs(pod, offer)
        if differs:
            with suppress(ProviderError):  # whoever hears of it sees to its end
                self.terminate(pod.id)
            raise Unwanted(differs, seen)
        return seen

    def _differs(self, pod: Pod, offer: Offer) -> str | None:
        """What is read back otherwise than offered; what is not said does not differ."""
        kind, count, cloud, place = _parts(offer)
        gpu = pod.gpu
        rate = offer.rate or self._rate
        if pod.cost is not None and rate.charged(pod.cost) > offer.rate_eur_per_hour:
            return "dearer than offered"
        if gpu and (
            (gpu.id or kind) != kind or (count if gpu.count is None else gpu.count) != count
        ):
            return "not the GPUs offered"
        if (pod.cloud or cloud) != cloud or (place and (pod.data_center or place) != place):
            return "not where it was offered"
        if (pod.image or self._image) != self._image:
            return "not the image asked for"
        return None

    # --- what is rented --------------------------------------------------------------------------

    def list(self) -> Iterable[Seen]:
        """Every pod under a label of ours, to the last page. A pod says whose it is in its
        environment; where that cannot be read its name counts. Where the two contradict each other
        its status is UNKNOWN, so that it is neither taken for somebody's nor believed."""
        pods = {pod.id: pod for page in self.account.pages(Pods, "/v2/pods") for pod in page.pods}
        ours = [(pod, _label(pod)) for pod in pods.values() if pod.status != GONE]
        ours = [(pod, label) for pod, label in ours if label]
        places = {pod.data_center for pod, _ in ours if pod.data_center}
        if not all(self.account.knows(place) for place in places):
            with suppress(ProviderError):  # without regions the list is complete all the same
                self._catalogue.learn_countries(Rank.LOOK)
        return [_believed(self._seen(pod, label), pod) for pod, label in ours]

    def _seen(self, pod: Pod, label: str) -> Seen:
        return Seen(
            provider_id=pod.id,
            label=label,
            status=STATUSES.get(pod.status or "", Status.UNKNOWN),
            price_eur_per_hour=None if pod.cost is None else str(self._rate.charged(pod.cost)),
            asked=None if pod.cost is None else Dollars(pod.cost, self._rate),
            gpu=_gpu_of(pod),
            region=self.account.country(pod.data_center),
            raw=(pod.status or "")[:200],
            gpus=pod.gpu.count if pod.gpu and pod.status in ("STARTING", "RUNNING") else None,
            other_image=pod.image != self._image if pod.image else None,
            tier=tier_of(pod.cloud) if pod.cloud else None,
        )

    def pause(self, provider_id: str) -> None:
        """Stop the container: its disk is wiped, its GPU is let go. Stopped already is success."""
        reply = self._act(provider_id, "stop")
        if reply.status == 409 and self._one(provider_id).status == "EXITED":
            return
        if not reply.good:
            raise refusal(reply, TEXTS)

    def resume(self, provider_id: str) -> None:
        """Start it again on its host. Raises NoCapacity where the GPUs are taken; one that comes
        back with fewer of them is stopped again."""
        before = self._one(provider_id)
        after = before
        if STATUSES.get(before.status or "") is Status.STOPPED:
            reply = self._act(provider_id, "start")
            if not reply.good:
                raise refusal(reply, TEXTS)
            after = parsed(Pod, reply.body)
        if _count(after) >= max(1, _count(before)):
            return
        try:
            self.pause(provider_id)
        except ProviderError as error:
            raise UnknownOutcome("resumed without its GPUs, and not stopped yet") from error
        raise NoCapacity("resumed without its GPUs")

    def _act(self, provider_id: str, action: str) -> Reply:
        rank = Rank.STOP if action == "stop" else Rank.CREATE
        path, body = f"{_path(provider_id)}/action", {"action": action}
        return self._wire.call(rank, action, "POST", path, body=body)

    def _one(self, provider_id: str) -> Pod:
        return self.account.read(Pod, _path(provider_id))

    def terminate(self, provider_id: str) -> None:
        """Delete the pod. Absent is success, except so soon after the create that it may only not
        show yet: then Unavailable, to be asked again."""
        reply = self._wire.call(Rank.END, "terminate", "DELETE", _path(provider_id))
        absent = reply.status == 404 and isinstance(reply.body, dict)
        if not reply.good and not absent:
            raise Unavailable("HTTP 404") if reply.status == 404 else refusal(reply, TEXTS)
        age = self._monotonic() - self._born.get(provider_id, -math.inf)
        if absent and age < self.listing_lag.total_seconds():
            raise Unavailable("not there yet, or not there any more")
        self._born.pop(provider_id, None)

    def logs(self, provider_id: str, lines: int = 200) -> Iterator[LogLine]:
        """The last lines of container and host. The provider's stream has no end: it is left once
        so many lines came, or none for `LOG_IDLE_SECONDS`."""
        wanted = min(max(1, lines), LOG_LINES_MAX)
        query, size = {"tail": str(wanted)}, 0
        with self._wire.streamed(
            Rank.LOOK,
            "logs",
            f"{_path(provider_id)}/logs",
            query=query,
            idle_seconds=LOG_IDLE_SECONDS,
        ) as reply:
            try:
                for event in EventSource(reply).iter_sse():
                    size += len(event.data)
                    if size > LOG_BYTES_MAX or wanted <= 0:
                        return
                    if event.data:
                        wanted -= 1
                        yield self._line(event.data)
            except httpx.ReadTimeout:
                return

    def _line(self, data: str) -> LogLine:
        try:
            said = parsed(LogEvent, json.loads(data))
        except (ValueError, RecursionError, Unavailable):
            return LogLine(None, "unknown", self._wire.redact(data))
        return LogLine(said.at, said.source or "unknown", self._wire.redact(said.line))


def _parts(offer: Offer) -> tuple[str, int, str, str]:
    """GPU type, count, cloud and data centre of an offer of ours."""
    parts = offer.offer_id.rsplit(":", 3)
    if len(parts) != 4 or not parts[1].isdigit() or int(parts[1]) < 1:
        raise Rejected("not an offer of this provider")
    return parts[0], int(parts[1]), parts[2], parts[3]


def _path(provider_id: str) -> str:
    if not provider_id or provider_id in (".", ".."):
        raise Rejected("not an id of this provider")
    return f"/v2/pods/{quote(provider_id, safe='')}"


def _label(pod: Pod) -> str:
    """Of a pod of ours; empty for anybody else's. One that says nothing could be ours."""
    if pod.env is None and pod.name is None:
        raise Unavailable("a list with a pod that does not say whose it is")
    told = (pod.env or {}).get(LABEL) or ""
    return next((one for one in (told, pod.name or "") if one.startswith(LABEL_PREFIX)), "")


def _believed(seen: Seen, pod: Pod) -> Seen:
    """What is known of it where its name and its environment agree, or where only one can be read."""
    if pod.env is None or pod.name is None or pod.env.get(LABEL) == pod.name:
        return seen
    doubtful = pod.env.get(LABEL) != seen.label
    return replace(seen, status=Status.UNKNOWN, raw=f"{CONTRADICTS}: {seen.raw}", doubtful=doubtful)


def _count(pod: Pod) -> int:
    return 0 if pod.gpu is None else (1 if pod.gpu.count is None else pod.gpu.count)


def _gpu_of(pod: Pod) -> str | None:
    """The type, or that there is none: a start may give a pod back without its GPUs."""
    if pod.gpu is None or pod.status not in ("STARTING", "RUNNING"):
        return pod.gpu.id if pod.gpu else None
    return pod.gpu.id if _count(pod) else "none"
