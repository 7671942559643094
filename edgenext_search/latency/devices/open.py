"""The device that a text names."""

from __future__ import annotations

from collections.abc import Callable

from edgenext_search.errors import UserError
from edgenext_search.latency.devices.adb import AdbDevice
from edgenext_search.latency.devices.command import CommandDevice
from edgenext_search.latency.devices.device import Device
from edgenext_search.latency.devices.host import HostDevice
from edgenext_search.latency.devices.ssh import SshDevice
from edgenext_search.validation import short

FORMS = "host, ssh://user@board, cmd:./program or adb://serial"
KINDS: dict[str, Callable[[str], Device]] = {
    "host": HostDevice.parse,
    "ssh": SshDevice.parse,
    "cmd": CommandDevice.parse,
    "adb": AdbDevice.parse,
}


def open_device(text: str) -> Device:
    """Return the device that a text names, without running anything or connecting to it.

    Args:
        text: ``host``, ``host?threads=4&provider=...``, ``ssh://user@board:port?python=...``, ``cmd:./program
            arguments`` or ``adb://serial?program=...``; see docs/latency.md.

    Raises:
        UserError: The kind of device does not exist, or an option is unknown or wrong.
    """
    name = text.strip()
    parse = KINDS.get(name.partition(":")[0].partition("?")[0])
    if parse is None:
        raise UserError(f"There is no device {short(name)}: give {FORMS}.")
    return parse(name)
