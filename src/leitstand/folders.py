"""The five folders of an installation, and the place of its socket."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs

from leitstand.core import label
from leitstand.core.problem import Exit, Problem

SOCKET_PATH_BYTES_MAX = 100
"""Linux allows 107 bytes for the path of a Unix socket; the rest is room for a suffix."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The five folders of an installation. Nothing of Leitstand is written anywhere else, except
    reports, which go where the user says."""

    config: Path
    state: Path
    data: Path
    cache: Path
    run: Path

    @classmethod
    def find(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The folders of this user, or the subfolders of `LEITSTAND_HOME`. Creates nothing."""
        home = (os.environ if environ is None else environ).get("LEITSTAND_HOME")
        if home:
            root = Path(home).expanduser().absolute()
            return cls(*(root / name for name in ("config", "state", "data", "cache", "run")))
        dirs = platformdirs.PlatformDirs("leitstand", appauthor=False)
        run = _runtime(os.environ if environ is None else environ)
        return cls(
            dirs.user_config_path,
            dirs.user_state_path,
            dirs.user_data_path,
            dirs.user_cache_path,
            run,
        )

    @property
    def settings_file(self) -> Path:
        return self.config / "leitstand.toml"

    def settings_text(self) -> str:
        """What is set; without a file nothing. Raises Problem: `settings-folder`,
        `settings-encoding`, `no-folder`, `unreadable-path`."""
        file = self.settings_file
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return ""
        except IsADirectoryError as error:
            raise Problem("settings-folder", Exit.USAGE, file=str(file)) from error
        except NotADirectoryError as error:
            raise _no_folder(self.config) from error
        except OSError as error:
            detail = error.strerror or str(error)
            raise Problem("unreadable-path", Exit.USAGE, path=str(file), detail=detail) from error
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise Problem("settings-encoding", Exit.USAGE, file=str(file), line=line) from error

    @property
    def installation(self) -> Path:
        """What every label of ours begins with, after `ls1-`."""
        return self.data / "installation"

    @property
    def database(self) -> Path:
        return self.state / "leitstand.db"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def blobs(self) -> Path:
        return self.data / "blobs"

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def models(self) -> Path:
        return self.cache / "models"

    @property
    def images(self) -> Path:
        """Which images were built here."""
        return self.data / "images.json"

    @property
    def boot(self) -> Path:
        return self.cache / "boot"

    @property
    def socket(self) -> Path:
        """The operator API of the embedded control plane: `run/api.sock`, or a short path of this
        user's own under the temp folder when that would not fit into a socket address."""
        path = self.run / "api.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
            return path
        short = hashlib.sha256(os.fsencode(self.run)).hexdigest()[:12]
        return _private_temp() / short / "api.sock"

    def create(self) -> None:
        """Make all folders, readable by this user alone. Raises Problem: `no-folder` where
        something else stands in the way, `folder-unusable`."""
        for folder in (self.config, self.state, self.data, self.cache, self.logs):
            _make(folder)
        if self.socket.parent != self.run:
            _make_private(self.socket.parent.parent)
        for folder in (self.run, self.socket.parent):
            _make_private(folder)


def read_installation(path: Path) -> str:
    """The name that the file keeps. Raises Problem: `installation-missing`, `installation-damaged`,
    `unreadable-path`."""
    try:
        name = label.installation_in(path.read_bytes())
    except FileNotFoundError as error:
        raise Problem("installation-missing", path=str(path)) from error
    except OSError as error:
        detail = error.strerror or str(error)
        raise Problem("unreadable-path", Exit.USAGE, path=str(path), detail=detail) from error
    if name is None:
        raise Problem("installation-damaged", path=str(path))
    return name


def _runtime(environ: Mapping[str, str]) -> Path:
    """The runtime folder of the session, else one of this user's own under the temp folder."""
    for folder in (environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.getuid()}"):
        if folder and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder) / "leitstand"
    return _private_temp()


def _private_temp() -> Path:
    return Path(tempfile.gettempdir()) / f"leitstand-{os.getuid()}"


def _no_folder(path: Path) -> Problem:
    """What stands where `path` or a folder above it should be a folder."""
    for place in (path, *path.parents):
        if place.is_symlink() or place.exists():
            break
    return Problem("no-folder", Exit.USAGE, path=str(place))


def _make(folder: Path) -> os.stat_result:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder.stat()
    except (FileExistsError, NotADirectoryError) as error:
        raise _no_folder(folder) from error
    except OSError as error:
        detail = error.strerror or str(error)
        raise Problem("folder-unusable", folder=str(folder), detail=detail) from error


def _make_private(folder: Path) -> None:
    """The socket's folder is the login, so it must belong to this user and to nobody else."""
    found = _make(folder)
    if found.st_uid != os.getuid() or folder.is_symlink():
        raise Problem("folder-unusable", folder=str(folder), detail="it belongs to someone else")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
