"""A client of an MCP server over stdio: just enough to call its tools."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

SERVER = Path("node_modules/@runpod/mcp-server/dist/stdio.mjs")


class Mcp:
    """`with Mcp(folder, url, key) as mcp:` runs RunPod's official MCP server against `url`."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "RUNPOD_API_KEY": key,
            "RUNPOD_API_BASE_URL": url,
        }
        self._process = subprocess.Popen(
            ["node", str(folder / SERVER)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._number = 0

    def __enter__(self) -> Mcp:
        client = {"name": "leitstand-tests", "version": "1"}
        hello = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client}
        self.server = self.ask("initialize", **hello)["serverInfo"]
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(30)
        self._process.stdout.close()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one request."""
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        assert self._process.stdout
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == self._number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
        raise AssertionError("the MCP server ended")

    def call(self, tool: str, **arguments: Any) -> tuple[bool, Any]:
        """Whether the tool succeeded, and what it gave back."""
        result = self.ask("tools/call", name=tool, arguments=arguments)
        text = result["content"][0]["text"]
        try:
            return not result.get("isError", False), json.loads(text)
        except ValueError:
            return not result.get("isError", False), text
