"""Hosts: each a network namespace with its own address, names and resolver, or else a loopback address.

All hosts of one stage hang on one bridge, which lives in a namespace of its own (`sl-<tag>-hub`): nothing of this
machine's own network is touched, every stage may use the same addresses, and two stages may run at once.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from scenario import CannotRecord

Result = TypeVar("Result")
_NETNS = Path("/run/netns")
_ETC = Path("/etc/netns")
_SUBNET = "10.77.0"
_CLONE_NEWNET = 0x40000000


def _ip(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise CannotRecord(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done


def enter_namespace(name: str) -> None:
    """Move the calling thread into a network namespace; sockets keep the one they were made in.

    Raises:
        OSError: not allowed, or no such namespace.
    """
    handle = os.open(_NETNS / name, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
    finally:
        os.close(handle)


def namespaces_allowed() -> bool:
    """Whether this process may make network namespaces with veth pairs and a bridge."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        return False
    probe = f"sl-probe-{os.getpid()}"
    try:
        _ip("netns", "add", probe)
        _ip("-n", probe, "link", "add", "b0", "type", "bridge")
        _ip("-n", probe, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
    except CannotRecord:
        return False
    finally:
        _ip("netns", "del", probe, check=False)
    return True


@dataclass(frozen=True)
class Host:
    """One machine of a stage.

    Attributes:
        name: as other hosts call it.
        address: its IPv4 address; services listen on it (or on 0.0.0.0 in a namespace).
        namespace: None in the loopback fallback.
    """

    name: str
    address: str
    namespace: str | None

    def command(self, command: Sequence[str]) -> list[str]:
        """The command that runs `command` on this host (same process id)."""
        if self.namespace is None:
            return list(command)
        return ["ip", "netns", "exec", self.namespace, *command]

    def enter(self) -> None:
        """Move the calling thread to this host: a thread pool's initializer."""
        if self.namespace is not None:
            enter_namespace(self.namespace)

    def run(self, work: Callable[[], Result]) -> Result:
        """Call `work` in a thread on this host and give its result; what it raises is raised here."""
        results: list[Result] = []
        errors: list[BaseException] = []

        def there() -> None:
            try:
                self.enter()
                results.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=there, daemon=True)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]


@dataclass
class Network:
    """The hosts of one stage, and their names. A context manager: leaving it removes every namespace.

    Attributes:
        tag: tells stages apart that run at once; at most 6 letters and digits.
        namespaces: false: every host is a loopback address, no resolver is ours, and TUN faults are impossible.
    """

    tag: str
    namespaces: bool
    hosts: dict[str, Host] = field(default_factory=dict)
    _links: int = 0
    _said: dict[str, dict[str, str | None]] = field(default_factory=dict)

    def __enter__(self) -> Network:
        self.remove()
        if self.namespaces:
            _ip("netns", "add", self._called("hub"))
            _ip("-n", self._called("hub"), "link", "add", "br0", "type", "bridge")
            _ip("-n", self._called("hub"), "link", "set", "br0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def host(self, name: str) -> Host:
        """The host of this name; made at the first call."""
        if name not in self.hosts:
            number = len(self.hosts) + 11
            self.hosts[name] = self._namespace(name, number) if self.namespaces else self._loopback(name, number)
            self.call_each_other_by_name()
        return self.hosts[name]

    def _loopback(self, name: str, number: int) -> Host:
        return Host(name, f"127.0.{1 + sum(self.tag.encode()) % 250}.{number}", None)

    def _namespace(self, name: str, number: int) -> Host:
        space, hub, address = self._called(name), self._called("hub"), f"{_SUBNET}.{number}"
        _ip("netns", "add", space)
        _ip("-n", hub, "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("-n", hub, "link", "set", f"p{number}", "master", "br0", "up")
        _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")
        _ip("-n", space, "link", "set", "lo", "up")
        folder = _ETC / space
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text("options timeout:5 attempts:1\n")
        return Host(name, address, space)

    def _called(self, host: str) -> str:
        return f"sl-{self.tag}-{host}"

    def call_each_other_by_name(self) -> None:
        """Write every host's hosts file: all hosts by name, but for what `names` said about it."""
        for host in self.hosts.values():
            known = {other.name: other.address for other in self.hosts.values()}
            changed: dict[str, str | None] = {**known, **self._said.get(host.name, {})}
            if host.namespace is not None:
                lines = [f"{address} {name}" for name, address in changed.items() if address is not None]
                (_ETC / host.namespace / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))

    def names(self, host: Host, changes: Mapping[str, str | None]) -> None:
        """Let this host know these names until the scene ends; a name with None is asked of its resolver."""
        self._said.setdefault(host.name, {}).update(changes)
        self.call_each_other_by_name()

    def forget_names(self) -> None:
        """Back to each host by its own name, and no resolver."""
        self._said.clear()
        self.call_each_other_by_name()
        for host in self.hosts.values():
            if host.namespace is not None:
                (_ETC / host.namespace / "resolv.conf").write_text("options timeout:5 attempts:1\n")

    def resolver(self, host: Host, address: str, options: str = "timeout:5 attempts:1") -> None:
        """Let programs that start on this host later ask this DNS server.

        Raises:
            CannotRecord: hosts are loopback addresses here.
        """
        if host.namespace is None:
            raise CannotRecord("a resolver of its own needs network namespaces (run as root with iproute2)")
        text = f"nameserver {address}\noptions {options}\n"
        (_ETC / host.namespace / "resolv.conf").write_text(text)

    def next_link(self) -> int:
        """A number for the next point-to-point link, 1 to 200."""
        self._links += 1
        return self._links

    def remove(self) -> None:
        """Remove every namespace of this tag, also those that an earlier run left behind."""
        for path in _NETNS.glob(f"sl-{self.tag}-*"):
            _ip("netns", "del", path.name, check=False)
        for folder in _ETC.glob(f"sl-{self.tag}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        self.hosts.clear()
        self._said.clear()
        self._links = 0
