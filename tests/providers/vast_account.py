"""An account at Vast.ai in memory, small: what the adapter's own tests need, without its rules."""

import json
import os

import httpx

KEY = "canary-key-of-a-test"

ASK = {
    "id": 100, "ask_contract_id": 100, "machine_id": 7, "gpu_name": "RTX 4090", "num_gpus": 1,
    "gpu_ram": 24564, "compute_cap": 890, "cuda_max_good": 12.8, "driver_version": "570.86.10",
    "cpu_cores": 64, "cpu_cores_effective": 16.0, "cpu_ram": 262144, "disk_space": 900.0,
    "inet_down": 800.0, "dph_base": 0.4, "dph_total": 0.42, "storage_cost": 0.144,
    "min_bid": 0.2, "verification": "verified", "hosting_type": 1,
    "geolocation": "Sweden, SE", "field_of_tomorrow": None,
}  # fmt: skip


class Account:
    """`script` answers before the state does: (method, path start) to a list of answers, each an
    `httpx.Response` or an exception."""

    def __init__(self, folder):
        self.key_file = folder / "vast.key"
        descriptor = os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(KEY + "\n")
        signed = folder / "signed.pdf"
        signed.write_text("signed")
        self.agreement = str(signed)
        self.asks = [ASK]
        self.instances = {}
        self.seen = []
        self.script = {}
        self.next_id = 5000
        self.settings = {"key_file": str(self.key_file), "usd_eur": "0.5", "image": "an/image"}

    def bodies(self, method, start):
        return [
            json.loads(r.content or b"{}")
            for r in self.seen
            if r.method == method and r.url.path.startswith(start)
        ]

    def __call__(self, request):
        self.seen.append(request)
        for (method, start), answers in self.script.items():
            if answers and method == request.method and request.url.path.startswith(start):
                answer = answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return self.answer(request.method, request.url.path.strip("/").split("/")[2:], request)

    def answer(self, method, parts, request):
        body = json.loads(request.content or b"{}")
        match method, parts:
            case "POST", ["bundles"]:
                floor = body.get("dph_total", {}).get("gte", 0)
                rows = sorted(self.asks, key=lambda ask: ask["dph_total"])
                return ok(offers=[ask for ask in rows if ask["dph_total"] >= floor][:64])
            case "PUT", ["asks", ask]:
                return ok(success=True, new_contract=self.create(int(ask), body))
            case "GET", ["instances"]:
                return self.page(int(request.url.params.get("after_token", 0)))
            case "GET", ["instances", number]:
                return ok(instances=self.instances.get(int(number)))
            case "DELETE", ["instances", number]:
                if self.instances.pop(int(number), None) is None:
                    return refused(404, "no_such_instance")
                return ok(success=True)
            case "PUT", ["instances", number]:
                self.instances[int(number)]["actual_status"] = body["state"]
                return ok(success=True)
            case _:
                return refused(404, "not_found")

    def create(self, ask, body):
        offered = next(row for row in self.asks if row["id"] == ask)
        price = body.get("price")
        self.next_id += 1
        self.instances[self.next_id] = {
            "id": self.next_id, "label": body["label"], "actual_status": None,
            "is_bid": price is not None, "dph_total": price or offered["dph_total"],
            "num_gpus": offered["num_gpus"], "geolocation": offered["geolocation"],
        }  # fmt: skip
        return self.next_id

    def page(self, start):
        rows = [row for number, row in sorted(self.instances.items()) if number > start]
        token = str(rows[24]["id"]) if len(rows) > 25 else None
        return ok(
            success=True,
            instances=rows[:25],
            total_instances=len(self.instances),
            next_token=token,
        )


def ok(**body):
    return httpx.Response(200, json=body)


def refused(status, error, msg="", **more):
    return httpx.Response(status, json={"success": False, "error": error, "msg": msg, **more})
