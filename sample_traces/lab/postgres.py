"""A PostgreSQL cluster that is made once per work folder and runs until the stage ends; a fresh database per scene."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hosts import Host
from scenario import CannotRecord
from stage import Stage, run

_PORT: Final = 5432
_RECOVERED_S: Final = 30.0
_USER: Final = "shop"
_SETTINGS: Final = {"fsync": "off", "synchronous_commit": "off", "max_connections": "200", "autovacuum": "off"}


@dataclass(frozen=True)
class Cluster:
    """A cluster in a folder.

    Attributes:
        folder: of its data and socket. programs: paths of `initdb`, `postgres` and `psql`.
    """

    folder: Path
    programs: Mapping[str, str]

    def build(self, schema: Path) -> None:
        """Make the cluster and, in it, the database `template_lab` from a file of SQL; once per version of the file.

        Raises:
            CannotRecord: with what the failing tool wrote.
        """
        done = self.folder / "schema.sql"
        if done.exists() and done.read_bytes() == schema.read_bytes():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        _own(self.folder)
        data = str(self.folder / "data")
        self._as_user([self.programs["initdb"], "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C"])
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all trust\n")
        single = [self.programs["postgres"], "--single", "-D", data, "-c", "fsync=off"]
        self._alone([*single, "postgres"], "CREATE DATABASE template_lab;\n")
        self._alone([*single, "-j", "template_lab"], "\n\n".join(_statements(schema.read_text())) + "\n\n")
        shutil.copyfile(schema, done)

    def _as_user(self, command: list[str]) -> None:
        run([*_DROP, *command] if os.geteuid() == 0 else command, self.folder)

    def _alone(self, command: list[str], text: str) -> None:
        """Feed SQL to a server that runs alone."""
        whole = [*_DROP, *command] if os.geteuid() == 0 else command
        done = subprocess.run(whole, input=text, capture_output=True, text=True, cwd=self.folder, check=False)
        if done.returncode or "ERROR" in done.stderr:
            raise CannotRecord(f"the database could not be made:\n{done.stderr[-2000:]}")

    def start(self, stage: Stage, host: Host, database: str) -> str:
        """Run it on a host and give the URL of a fresh copy of the template, named `database`."""
        if not stage.runs("postgres"):
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
            command = [self.programs["postgres"], "-D", str(self.folder / "data"), "-k", str(self.folder)]
            command += ["-h", host.address, "-p", str(_PORT)]
            command += [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            user = "postgres" if os.geteuid() == 0 else None
            stage.start(
                "postgres",
                command,
                host=host,
                port=_PORT,
                user=user,
                keep=True,
                stop_signal=signal.SIGINT,
                cwd=self.folder,
            )
        self._wait_until_recovered()
        self._tell(f'DROP DATABASE IF EXISTS "{database}" (FORCE)')
        self._tell(f'CREATE DATABASE "{database}" TEMPLATE template_lab')
        return f"postgres://{_USER}@{stage.where(host)}:{_PORT}/{database}"

    def _tell(self, statement: str) -> None:
        asking = [self.programs["psql"], "-h", str(self.folder), "-U", _USER, "-d", "postgres", "-qc", statement]
        run(asking, self.folder)

    def _wait_until_recovered(self) -> None:
        """One that was killed listens before it answers: it reads its log again first."""
        give_up = time.monotonic() + _RECOVERED_S
        while True:
            try:
                return self._tell("SELECT 1")
            except CannotRecord as error:
                if "starting up" not in str(error) or time.monotonic() > give_up:
                    raise
                time.sleep(0.2)


_DROP: Final = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


def _own(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def _statements(text: str) -> list[str]:
    """Statements of a file of plain SQL, comments left out."""
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [one.strip().replace("\n", " ") + ";" for one in "\n".join(lines).split(";\n") if one.strip(" ;\n")]
