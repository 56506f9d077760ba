"""RunPod REST v2: network volumes, registry logins and the account's SSH keys."""

from __future__ import annotations

from tests.wire.runpod_account import Registry, Volume
from tests.wire.runpod_call import Answer, Call, page


def volumes(call: Call) -> Answer:
    """`GET /v2/network-volumes`."""
    rows = [volume for volume in call.account.volumes if volume.deleted_at is None]
    held, tail = page(call, "list-volumes", rows)
    return Answer(200, {"networkVolumes": [volume.shown() for volume in held], **tail})


def create_volume(call: Call) -> Answer:
    """`POST /v2/network-volumes`: bound to one data centre, for good."""
    body, account = call.json("create-volume"), call.account
    id = body.get("dataCenter", "")
    types = next((c.volume_types for c in account.data_centers if c.id == id), ())
    if not types:
        call.rules.refuse("volume-data-center", id=id)
    kind = body.get("type", types[0] if types else "STANDARD")
    if types and kind not in types:
        call.rules.refuse("volume-type", id=id, type=kind)
    size = int(body.get("size", 10))
    volume = Volume(
        account.next_number(), account.draw(10), body.get("name", ""), size, id, kind, call.now
    )
    account.volumes.append(volume)
    return Answer(201, volume.shown())


def _volume(call: Call, id: str) -> Volume | None:
    for volume in call.account.volumes:
        if volume.id == id and volume.deleted_at is None:
            return volume
    call.rules.refuse("no-volume")
    return None


def volume(call: Call, id: str) -> Answer:
    """`GET /v2/network-volumes/{id}`."""
    found = _volume(call, id)
    return Answer(200, found.shown() if found else {})


def update_volume(call: Call, id: str) -> Answer:
    """`PATCH /v2/network-volumes/{id}`: a new name, or more room."""
    body, found = call.json("update-volume"), _volume(call, id)
    if found is None:
        return Answer(200, {})
    if body.get("size", found.size) < found.size:
        call.rules.refuse("volume-shrink")
    found.size, found.name = int(body.get("size", found.size)), body.get("name", found.name)
    return Answer(200, found.shown())


def delete_volume(call: Call, id: str) -> Answer:
    """`DELETE /v2/network-volumes/{id}`."""
    found = _volume(call, id)
    if any(pod.network and pod.network["volumeId"] == id for pod in call.account.live()):
        call.rules.refuse("volume-used")
    if found:
        found.deleted_at = call.now
    return Answer(204)


def registries(call: Call) -> Answer:
    """`GET /v2/registries`."""
    held, tail = page(call, "list-registries", call.account.registries)
    return Answer(200, {"registries": [registry.shown() for registry in held], **tail})


def create_registry(call: Call) -> Answer:
    """`POST /v2/registries`: secrets go in and never come out."""
    body, account = call.json("create-registry"), call.account
    registry = Registry(
        account.next_number(),
        account.draw(10),
        body.get("name", ""),
        body.get("username", ""),
        body.get("password", ""),
    )
    account.registries.append(registry)
    return Answer(201, registry.shown())


def _registry(call: Call, id: str) -> Registry | None:
    for registry in call.account.registries:
        if registry.id == id:
            return registry
    call.rules.refuse("no-registry")
    return None


def registry(call: Call, id: str) -> Answer:
    """`GET /v2/registries/{id}`."""
    found = _registry(call, id)
    return Answer(200, found.shown() if found else {})


def delete_registry(call: Call, id: str) -> Answer:
    """`DELETE /v2/registries/{id}`."""
    found = _registry(call, id)
    if any(pod.registry == id for pod in call.account.live()):
        call.rules.refuse("registry-used")
    if found:
        call.account.registries.remove(found)
    return Answer(204)


def ssh_keys(call: Call) -> Answer:
    """`GET /v2/account/ssh-keys`."""
    return Answer(200, {"keys": list(call.account.ssh_keys)})


def replace_ssh_keys(call: Call) -> Answer:
    """`PUT /v2/account/ssh-keys`: the whole set, not a merge."""
    keys = call.json("ssh-keys").get("keys", [])
    call.account.ssh_keys = list(keys)
    return Answer(200, {"keys": keys})
