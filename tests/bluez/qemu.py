"""The guest as a process: QEMU without KVM, two cores, no network, and a hard limit of time.

KVM is never asked for: where /dev/kvm exists inside a virtual machine it may still hang the
guest, and these tests must run the same everywhere. The guest's root is read through a snapshot,
so no run changes what the next one boots from.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from image import Image

MEMORY_MB = 768
CORES = 2
AFTER_LIMIT_S = 5  # from SIGTERM to SIGKILL
CONSOLE = "console.log"  # what kernel and PID 1 say
STATUS = "status"  # the exit status of the steps, left by PID 1

# The guest trusts its host: no self-tests of ciphers, no mitigations, nothing to be probed.
KERNEL_COMMAND_LINE = (
    "console=ttyS0 quiet panic=-1 mitigations=off audit=0 ipv6.disable=1 cryptomgr.notests "
    "random.trust_cpu=on"
)


class GuestError(Exception):
    """The guest did not come to its end."""


def run(image: Image, guest: Path, results: Path, limit_s: int, hear: Callable[[str], None]) -> int:
    """Boot, give what the steps print to `hear` line by line, and return their exit status.

    `guest` is /guest in there, read-only; `results` is /results. Raises GuestError if the guest
    ended, or was ended, before the steps did.
    """
    status = results / STATUS
    status.unlink(missing_ok=True)
    process = subprocess.Popen(
        # A process of its own keeps the limit, so that it holds even if this one is killed.
        [
            *("timeout", "--foreground", f"--kill-after={AFTER_LIMIT_S}", str(limit_s)),
            *_command(image, guest, results),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            hear(line.decode("utf-8", "replace").rstrip("\r\n"))
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if not status.exists():
        console = (results / CONSOLE).read_text(errors="replace").splitlines()
        why = f"was not ready after {limit_s} s" if code == 124 else f"ended with {code}"
        raise GuestError("\n".join([f"The guest {why}. Its console's last words:", *console[-30:]]))
    return int(status.read_text())


def _command(image: Image, guest: Path, results: Path) -> list[str]:
    shares: list[str] = []
    for tag, folder, readonly in (("guest", guest, "on"), ("results", results, "off")):
        device = f"local,path={folder},mount_tag={tag},security_model=none,multidevs=remap"
        shares += ["-virtfs", f"{device},readonly={readonly}"]
    return [
        "qemu-system-x86_64",
        *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"),
        *("-smp", str(CORES), "-m", str(MEMORY_MB)),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none"),
        *("-serial", f"file:{results / CONSOLE}", "-serial", "stdio"),
        *("-drive", f"file={image.root},format=raw,if=virtio,snapshot=on,cache=unsafe"),
        *shares,
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd)),
        *("-append", KERNEL_COMMAND_LINE),
    ]
