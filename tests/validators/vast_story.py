"""What the official Vast.ai clients are made to do against the simulator."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.wire.server import Served

TICK = 20.0
"""Seconds that pass before every call: the clients do not wait between theirs."""

SDK = """
import json, sys
from datetime import datetime, timezone
import requests
from vastai import VastAI
from vastai.api import billing, instances

url, key = sys.argv[1:]
vast = VastAI(api_key=key, server_url=url)
told = {}

def do(name, what):
    try:
        told[name] = what()
    except requests.HTTPError as refused:
        told[name] = {"refused": refused.response.status_code, "text": refused.response.text}
    return told[name]

do("search", lambda: vast.search_offers(
    query="gpu_name=RTX_4090 num_gpus=1 reliability>0.89", type="on-demand", limit=5))
do("search bids", lambda: vast.search_offers(
    query="gpu_ram>=20 geolocation=SE", type="bid", order="dph_total", storage=50, limit=2))
do("search anew", lambda: vast.search_offers_new(query="num_gpus=2 datacenter=true", limit=1))
asks = [row["ask_contract_id"] for row in told["search"]]
made = do("create", lambda: vast.create_instance(
    id=asks[0], image="registry.example/worker:1", disk=20, env="-e A=b -p 8000:8000",
    label="ls1-one", onstart_cmd="true", ssh=True, direct=True))
bid = do("create bid", lambda: vast.create_instance(
    id=asks[1], image="registry.example/worker:1", price=0.2, runtype="args",
    args=["-c", "x"], label="ls1-two"))
do("create taken", lambda: vast.create_instance(id=asks[0], image="i"))
do("create cheap", lambda: vast.create_instance(id=asks[2], image="i", price=0.001))
do("create cancelled", lambda: vast.create_instance(
    id=asks[0], image="i", cancel_unavail=True))
one, two, three = (told[n]["new_contract"] for n in ("create", "create bid", "create cheap"))
for _ in range(4):
    do("one", lambda: vast.show_instance(one))
do("all", lambda: vast.show_instances())
do("page", lambda: vast.show_instances_v1({
    "select_filters": {"label": {"eq": "ls1-two"}}, "limit": 25, "select_cols": ["id", "label"]}))
do("computed", lambda: vast.show_instances_v1({"select_filters": {"dph_total": {"lt": 1}}}))
do("label", lambda: vast.label_instance(one, "ls1-other"))
do("bid", lambda: vast.change_bid(two, price=0.3))
do("bid of none", lambda: vast.change_bid(one, price=0.3))
do("reboot", lambda: vast.reboot_instance(one))
do("recycle", lambda: vast.recycle_instance(two))
for _ in range(4):
    do("two", lambda: vast.show_instance(two))
do("logs", lambda: vast.logs(two, tail="10"))
do("daemon logs", lambda: vast.logs(two, filter="started", daemon_logs=True))
do("execute", lambda: vast.execute(two, "ls"))
do("forbidden", lambda: vast.execute(two, "curl example.org"))
do("stop", lambda: vast.stop_instance(two))
do("start", lambda: vast.start_instance(two))
do("prepay", lambda: vast.prepay_instance(one, 10))
do("increases", lambda: vast.show_pending_price_increases())
do("no keys", lambda: vast.show_ssh_keys())
do("add key", lambda: vast.create_ssh_key("ssh-ed25519 AAAA me"))
do("keys", lambda: vast.show_ssh_keys())
do("volumes", lambda: vast.show_volumes())
do("destroy", lambda: vast.destroy_instance(one))
do("destroy again", lambda: vast.destroy_instance(one))
do("destroyed", lambda: vast.show_instance(one))
do("destroy all", lambda: instances.destroy_instance(vast.client, [two, three]))
do("none left", lambda: vast.show_instances())
do("user", lambda: vast.show_user())
do("charges", lambda: billing.show_invoices_v1(vast.client, {
    "charges": True, "start_date": "2026-11-01", "end_date": "2026-11-03",
    "charge_type": ["instance"], "limit": 100}))
do("payments", lambda: billing.show_invoices_v1(vast.client, {
    "start_date": "2026-11-01", "end_date": "2026-11-03", "invoice_type": ["reserved"]}))
print(json.dumps(told))
"""


def by_sdk(python: Path, served: Served, home: Path, script: str = SDK) -> str:
    """What the Python SDK prints: JSON of what it read."""
    done = _run([str(python), "-c", script, served.url, served.sim.key], served, home)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def by_cli(command: Path, served: Served, home: Path, *words: str) -> tuple[int, str]:
    """One command line; its code, and what it says."""
    where = ["--url", served.url, "--api-key", served.sim.key]
    verb = 1 if words[0] == "logs" else 2
    whole = [str(command), *words[:verb], *where, *words[verb:]]  # `--args` takes all that follows
    done = _run(whole, served, home)
    return done.returncode, done.stdout + done.stderr


def _run(words: list[str], served: Served, home: Path) -> subprocess.CompletedProcess[str]:
    """In a home of its own: the clients keep keys and caches there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VAST")}
    environment = kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_DATA_HOME": str(home / "data"),
        "VAST_URL": served.url,
        "VASTAI_NO_UPDATE_CHECK": "1",
    }
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
