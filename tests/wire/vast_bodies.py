"""Shapes of Vast.ai's request bodies (OpenAPI of `vast-ai/docs`, August 2026; `vastai` 1.9.1).

Whether the service refuses unknown keys everywhere is not documented; it does where a body is
described as exact. The simulator does everywhere, so that a client sends nothing it made up.
"""

from __future__ import annotations

from tests.wire.shapes import Schema

TEXT: Schema = {"type": "string"}
NULLABLE: Schema = {"type": "string or null"}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "integer", "minimum": 1}
IDS: Schema = {"type": "array", "items": ID}

BODIES: dict[str, Schema] = {
    "create": {
        "type": "object",
        "properties": {
            "client_id": {"type": "string", "enum": ["me"]},
            "image": {"type": "string or null", "maxLength": 1024},
            "template_hash_id": NULLABLE,
            "disk": {"type": "number", "minimum": 8},
            "label": {"type": "string or null", "maxLength": 256},
            "onstart": NULLABLE,
            "runtype": TEXT,
            "args": {"type": "array", "items": TEXT},
            "args_str": TEXT,
            "price": {"type": "number or null"},
            "target_state": {"type": "string", "enum": ["running", "stopped"]},
            "cancel_unavail": FLAG,
            "image_login": NULLABLE,
            "volume_info": {"type": "object or null"},
            "user": NULLABLE,
            "extra": NULLABLE,
            "python_utf8": FLAG,
            "lang_utf8": FLAG,
            "use_jupyter_lab": FLAG,
            "jupyter_dir": NULLABLE,
            "force": FLAG,
            "vm": FLAG,
        },
    },
    "update": {
        "type": "object",
        "properties": {
            "state": {"type": "string", "enum": ["running", "stopped"]},
            "label": {"type": "string", "maxLength": 1024},
        },
    },
    "bulk-update": {
        "type": "object",
        "required": ["state", "ids"],
        "properties": {"state": {"type": "string", "enum": ["running", "stopped"]}, "ids": IDS},
    },
    "bulk-destroy": {
        "type": "object",
        "required": ["instance_ids"],
        "properties": {"instance_ids": IDS},
    },
    "empty": {"type": "object", "properties": {}},
    "bid": {
        "type": "object",
        "required": ["price"],
        "properties": {
            "client_id": {"type": "string", "enum": ["me"]},
            "price": {"type": "number"},
        },
    },
    "prepay": {
        "type": "object",
        "required": ["amount"],
        "properties": {"amount": {"type": "number"}},
    },
    "logs": {
        "type": "object",
        "properties": {"tail": TEXT, "filter": TEXT, "daemon_logs": TEXT},
    },
    "command": {
        "type": "object",
        "required": ["command"],
        "properties": {"command": {"type": "string", "minLength": 1, "maxLength": 512}},
    },
    "price-increase": {
        "type": "object",
        "required": ["pending_price_increase_id"],
        "properties": {"pending_price_increase_id": {"type": "integer"}},
    },
    "search-asks": {
        "type": "object",
        "required": ["q"],
        "properties": {"select_cols": {"type": "array", "items": TEXT}, "q": {"type": "object"}},
    },
    "ssh-key": {"type": "object", "required": ["ssh_key"], "properties": {"ssh_key": TEXT}},
    "api-key": {
        "type": "object",
        "required": ["name", "permissions"],
        "properties": {"name": TEXT, "permissions": {"type": "object"}, "key_params": NULLABLE},
    },
}
"""`env` of a create has rules of its own: an object is applied, a string is taken and ignored."""
