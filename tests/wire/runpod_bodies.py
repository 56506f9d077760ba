"""Shapes of RunPod's request bodies and query strings (OpenAPI of REST v2, 2.0.0), as far as used.

A subset of JSON Schema: `type`, `properties`, `required`, `minimum`, `maximum`, `minLength`,
`pattern`, `enum`, `items`, `maxItems`, `minProperties`, `values`. Objects take no other
fields than those listed, except `env`, whose `values` are of one shape. Every keyword of every field
is a refusal of its own (`runpod_rules.RULES`), named `<body>.<field>:<keyword>`.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
VERSION: Schema = {"type": "string", "pattern": r"^\d+\.\d+$"}
TEXTS: Schema = {"type": "array", "items": TEXT}

CONTAINER: dict[str, Schema] = {
    "image": TEXT,
    "args": TEXT,
    "cmd": TEXTS,
    "entrypoint": TEXTS,
    "disk": {"type": "integer", "minimum": 1},
    "ports": {"type": "array", "items": TEXT},
    "env": {"type": "object", "values": TEXT},
    "registry": {"type": "string or null"},
}
MOUNTS: Schema = {
    "type": "object",
    "properties": {
        "persistent": {
            "type": "object",
            "required": ["size", "path"],
            "properties": {"size": {"type": "integer", "minimum": 10}, "path": TEXT},
        },
        "network": {
            "type": "array",
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["volumeId", "path"],
                "properties": {"volumeId": TEXT, "path": TEXT},
            },
        },
    },
}

BODIES: dict[str, Schema] = {
    "create-pod": {
        "type": "object",
        "required": ["name"],
        "properties": {
            **CONTAINER,
            "name": NAME,
            "templateId": NAME,
            "cloud": {"type": "string", "enum": ["SECURE", "COMMUNITY"]},
            "gpu": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": TEXT,
                    "count": {"type": "integer", "minimum": 1},
                    "allowedCudaVersions": {"type": "array", "items": VERSION},
                    "minCudaVersion": VERSION,
                    "minRamPerGpu": {"type": "integer", "minimum": 1},
                    "minVcpuCountPerGpu": {"type": "integer", "minimum": 1},
                },
            },
            "cpu": {
                "type": "object",
                "required": ["id", "vcpuCount"],
                "properties": {"id": NAME, "vcpuCount": {"type": "integer", "minimum": 2}},
            },
            "dataCenterIds": TEXTS,
            "mounts": MOUNTS,
            "startSsh": FLAG,
            "startJupyter": FLAG,
            "globalNetworking": FLAG,
        },
    },
    "update-pod": {
        "type": "object",
        "properties": {
            **CONTAINER,
            "name": NAME,
            "templateId": TEXT,
            "mounts": MOUNTS,
            "locked": FLAG,
            "globalNetworking": FLAG,
        },
    },
    "pod-action": {
        "type": "object",
        "required": ["action"],
        "properties": {
            "action": {"type": "string", "enum": ["start", "stop", "restart", "terminate"]}
        },
    },
    "create-volume": {
        "type": "object",
        "required": ["name", "size", "dataCenter"],
        "properties": {
            "name": NAME,
            "size": {"type": "integer", "minimum": 10, "maximum": 4096},
            "dataCenter": NAME,
            "type": {"type": "string", "enum": ["STANDARD", "HIGH_PERFORMANCE"]},
        },
    },
    "update-volume": {
        "type": "object",
        "minProperties": 1,
        "properties": {"name": NAME, "size": {"type": "integer", "minimum": 10, "maximum": 4096}},
    },
    "create-registry": {
        "type": "object",
        "required": ["name", "username", "password"],
        "properties": {"name": NAME, "username": NAME, "password": NAME},
    },
    "ssh-keys": {
        "type": "object",
        "required": ["keys"],
        "properties": {
            "keys": {
                "type": "array",
                "items": {
                    "type": "string",
                    "pattern": r"^(ssh|ecdsa|sk)-[^\s]+ [^\s]+([ \t][^\n\r]*)?$",
                },
            }
        },
    },
}

REGIONS = [
    "NORTH_AMERICA",
    "SOUTH_AMERICA",
    "EUROPE",
    "ASIA",
    "MIDDLE_EAST",
    "AFRICA",
    "OCEANIA",
    "ANTARCTICA",
    "UNKNOWN",
]
COMPLIANCE = [
    "GDPR",
    "ISO_IEC_27001",
    "ISO_14001",
    "PCI_DSS",
    "HITRUST",
    "SOC_1_TYPE_2",
    "SOC_2_TYPE_2",
    "SOC_3_TYPE_2",
    "ITAR",
    "FISMA_HIGH",
    "HIPAA",
    "RENEWABLE",
]
PAGE: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
    "cursor": TEXT,
}
BILLING: dict[str, Schema] = {
    "startTime": {"type": "time"},
    "endTime": {"type": "time"},
    "lastN": {"type": "integer", "minimum": 1},
    "bucketSize": {"type": "string", "enum": ["hour", "day", "week", "month", "year"]},
}
AVAILABILITY: dict[str, Schema] = {
    "include": {
        "type": "list",
        "maxItems": 1,
        "items": {"type": "string", "enum": ["AVAILABILITY"]},
    },
}

QUERIES: dict[str, dict[str, Schema]] = {
    "list-pods": {**PAGE, "includeClusterPods": {"type": "boolean"}},
    "list-volumes": PAGE,
    "list-registries": PAGE,
    "list-gpus": {
        **AVAILABILITY,
        "product": {
            "type": "list",
            "items": {"type": "string", "enum": ["POD", "CLUSTER", "SERVERLESS"]},
        },
        "count": {"type": "integer", "minimum": 1},
        "cloud": {"type": "string", "enum": ["SECURE", "COMMUNITY"]},
        "countryCodes": {"type": "list", "items": {"type": "string", "pattern": "^[A-Z]{2}$"}},
        "cudaVersions": {"type": "list", "items": VERSION},
        "minCudaVersion": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
    },
    "list-cpus": {
        **AVAILABILITY,
        "product": {"type": "list", "items": {"type": "string", "enum": ["POD", "SERVERLESS"]}},
        "vcpuCount": {"type": "integer", "minimum": 2},
    },
    "list-data-centers": {
        "include": {
            "type": "list",
            "items": {"type": "string", "enum": ["GPU_AVAILABILITY", "CPU_AVAILABILITY"]},
        },
        "regions": {"type": "list", "items": {"type": "string", "enum": REGIONS}},
        "networkVolumeTypes": {
            "type": "list",
            "items": {"type": "string", "enum": ["STANDARD", "HIGH_PERFORMANCE"]},
        },
        "compliance": {"type": "list", "items": {"type": "string", "enum": COMPLIANCE}},
        "globalNetwork": {"type": "boolean"},
    },
    "pod-logs": {
        "source": {"type": "string", "enum": ["container", "system"]},
        "tail": {"type": "integer", "minimum": 0, "maximum": 5000},
        "since": {"type": "time"},
    },
    "billing": BILLING,
}
"""Query parameters by operation. What is not listed is ignored silently, as the real API does."""
