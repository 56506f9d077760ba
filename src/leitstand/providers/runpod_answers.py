"""What RunPod's REST v2 answers, parsed at the edge, and what its words mean.

Sources: OpenAPI 2.0.0 of `api.runpod.io/v2` (pods, catalogue, network volumes, billing); error texts
as clients in public repositories have met them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, Field

from leitstand.ports import NoCapacity, NoFunds, Rejected, Status
from leitstand.wire.call import Texts
from leitstand.wire.money import USD_MAX
from leitstand.wire.shape import Dollars, Shape

Id = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,80}$")]
Count = Annotated[int, Field(ge=0, le=10_000)]

NO_CAPACITY = (
    "no longer any instances available",
    "no instances currently available",
    "does not have the resources to deploy your pod",
    "could not find instances",
    "not enough free gpus on the host machine",
)
BAD_REQUESTS = (
    "template id or pod configuration parameters",
    "container disk must be less than or equal to",
    "mutually exclusive",
    "exactly one of",
    "not supported",
    "gpu type",
)
TEXTS: Texts = (
    *((text, NoCapacity) for text in NO_CAPACITY),
    ("spend limit", NoFunds),
    *((text, Rejected) for text in BAD_REQUESTS),
)
"""RunPod answers 400 for "no capacity" and for a bad request alike; only the words differ."""

STATUSES = {
    "PROVISIONING": Status.STARTING,
    "STARTING": Status.STARTING,
    "RUNNING": Status.RUNNING,
    "EXITED": Status.STOPPED,
    "ERROR": Status.STOPPED,
}
"""`ERROR` is a container that will not come back; it is taken to be billed until it is ended."""
GONE = "TERMINATED"

_GPUS = {
    "7.0": ("Tesla V100-PCIE-16GB", "Tesla V100-SXM2-16GB", "Tesla V100-SXM2-32GB"),
    "8.0": (
        "NVIDIA A30", "NVIDIA A100 80GB PCIe", "NVIDIA A100-PCIE-40GB", "NVIDIA A100-SXM4-40GB",
        "NVIDIA A100-SXM4-80GB",
    ),
    "8.6": (
        "NVIDIA GeForce RTX 3070", "NVIDIA GeForce RTX 3080", "NVIDIA GeForce RTX 3080 Ti",
        "NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 3090 Ti", "NVIDIA RTX A2000",
        "NVIDIA RTX A4000", "NVIDIA RTX A4500", "NVIDIA RTX A5000", "NVIDIA RTX A6000", "NVIDIA A40",
    ),
    "8.9": (
        "NVIDIA GeForce RTX 4070 Ti", "NVIDIA GeForce RTX 4080", "NVIDIA GeForce RTX 4080 SUPER",
        "NVIDIA GeForce RTX 4090", "NVIDIA RTX 2000 Ada Generation",
        "NVIDIA RTX 4000 Ada Generation", "NVIDIA RTX 4000 SFF Ada Generation",
        "NVIDIA RTX 5000 Ada Generation", "NVIDIA RTX 6000 Ada Generation", "NVIDIA L4",
        "NVIDIA L40", "NVIDIA L40S",
    ),
    "9.0": (
        "NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3", "NVIDIA H100 NVL", "NVIDIA H200",
        "NVIDIA H200 NVL", "NVIDIA GH200 480GB",
    ),
    "10.0": ("NVIDIA B200",),
    "10.3": ("NVIDIA B300 SXM6 AC",),
    "12.0": (
        "NVIDIA GeForce RTX 5080", "NVIDIA GeForce RTX 5090",
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
        "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
    ),
}  # fmt: skip
COMPUTE_CAPABILITY = {gpu: capability for capability, gpus in _GPUS.items() for gpu in gpus}
"""By GPU id (developer.nvidia.com/cuda-gpus): the catalogue does not say. A type that is not here
has none, and placement does not take what is not known."""


def compute_capability(gpu: str) -> str | None:
    """Of a type or of a MIG slice of it (`... MIG 1g.24gb`)."""
    return COMPUTE_CAPABILITY.get(gpu.partition(" MIG ")[0])


# --- catalogue -----------------------------------------------------------------------------------


class ByCloud(Shape):
    """A price per hour and single GPU."""

    secure: Dollars | None = None
    community: Dollars | None = None


class CountByCloud(Shape):
    """GPUs that one pod may have."""

    secure: Count | None = None
    community: Count | None = None


class CudaVersion(Shape):
    """Whether there are hosts with this driver generation."""

    version: Annotated[str, Field(pattern=r"^\d{1,3}\.\d{1,3}$")]
    available: bool | None = None


class Stock(Shape):
    """A level of stock in one data centre."""

    id: Id
    availability: str | None = None


class GpuType(Shape):
    """A row of `GET /v2/catalog/gpus?include=AVAILABILITY`."""

    id: Annotated[str, Field(min_length=1, max_length=80)]
    manufacturer: str | None = None
    memory: Annotated[float, Field(ge=0, le=10_000)]
    secure: bool | None = None
    community: bool | None = None
    price: ByCloud
    max_count: CountByCloud | None = Field(default=None, alias="maxCount")
    availability: str | None = None
    data_centers: list[Stock] | None = Field(default=None, alias="dataCenters")
    cuda_versions: list[CudaVersion] | None = Field(default=None, alias="cudaVersions")

    def sold(self, cloud: str) -> Decimal:
        """The price where it is sold in this cloud and in stock, else 0."""
        where = "secure" if cloud == "SECURE" else "community"
        there = getattr(self, where) is not False and self.availability not in (None, "NONE")
        return (getattr(self.price, where) or Decimal(0)) if there else Decimal(0)

    def places(self) -> list[str]:
        """Data centres that have some; an empty name where none is said."""
        stocked = [one.id for one in self.data_centers or () if one.availability != "NONE"]
        return stocked or [""]


class Gpus(Shape):
    """The catalogue of GPUs."""

    gpus: list[GpuType]


class DataCenter(Shape):
    """Where it stands is a field of its own; the id is a name and no address."""

    id: Id
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = Field(
        default=None, alias="countryCode"
    )


class DataCenters(Shape):
    """`GET /v2/catalog/datacenters`."""

    data_centers: list[DataCenter] = Field(alias="dataCenters")


# --- pods ----------------------------------------------------------------------------------------


class Named(Shape):
    """What must be in the answer to a create."""

    id: Id


class PodGpu(Shape):
    """GPUs that a pod has now; a start may give it none."""

    id: str | None = None
    count: Count | None = None


class Pod(Named):
    """A pod as listed. `env` holds what its launch was told."""

    name: str | None = None
    status: str | None = None
    image: str | None = None
    cloud: str | None = None
    env: dict[str, str | None] | None = Field(default=None, repr=False)
    gpu: PodGpu | None = None
    data_center: str | None = Field(default=None, alias="dataCenterId")
    cost: Dollars | None = None


class Pagination(Shape):
    """Only `hasNextPage` ends the walk."""

    more: bool = Field(alias="hasNextPage")
    cursor: Annotated[str, Field(min_length=1, max_length=2000)] | None = Field(
        default=None, alias="nextCursor"
    )


class Pods(Shape):
    """A page of `GET /v2/pods`. The older API has no `pagination`."""

    pods: list[Pod]
    pagination: Pagination | None = None


class LogEvent(Shape):
    """The data of one event of `GET /v2/pods/{id}/logs`."""

    at: AwareDatetime | None = Field(default=None, alias="ts")
    source: str | None = None
    line: str


# --- volumes, money ------------------------------------------------------------------------------


class NetworkVolume(Shape):
    """A row of `GET /v2/network-volumes`."""

    id: Id
    name: str | None = None
    size: Annotated[int, Field(ge=0, le=1_000_000)]
    data_center: str | None = Field(default=None, alias="dataCenter")


class NetworkVolumes(Shape):
    """A page of them."""

    volumes: list[NetworkVolume] = Field(alias="networkVolumes")
    pagination: Pagination | None = None


class BillingRecord(Shape):
    """What one pod cost in one bucket of time."""

    start: AwareDatetime = Field(alias="startTime")
    end: AwareDatetime = Field(alias="endTime")
    pod_id: str | None = Field(default=None, alias="podId")
    total: Dollars = Field(alias="totalAmount")


class BillingRecords(Shape):
    """`GET /v2/billing/pods`."""

    records: list[BillingRecord]


class Myself(Shape):
    """The account in GraphQL. A balance may be below zero."""

    balance: Annotated[Decimal, Field(ge=-USD_MAX, le=USD_MAX)] = Field(alias="clientBalance")
