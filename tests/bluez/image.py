"""What the guest boots from: Debian, the wheels that legcurl needs, and legcurl itself.

Made in stages, each kept in `build/bluez/SUITE` until something changes that it is made of: a
stage's key is a digest of its inputs and of the stage before it. Debian's packages are the
slowest and change least; our own package is made anew after every edit, in a second or two.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
CACHE = REPOSITORY / "build" / "bluez"
CONSTRAINTS = REPOSITORY / "constraints.txt"
PYPROJECT = REPOSITORY / "host" / "pyproject.toml"

EXTRAS = ("ble", "sim")  # of our package: the link under test, and the firmware behind the radio
TEST_TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout")
SPARE_MB = 48  # of the root file system, for what the guest writes beside /tmp
NEWEST_GLIBC_MINOR, OLDEST_GLIBC_MINOR = 36, 17  # of wheels: bookworm's, and manylinux2014's

Timed = Callable[[str], AbstractContextManager[None]]  # runs a block under a name that is told


class BuildError(Exception):
    """A stage could not be made; what the tool said follows."""


@dataclass(frozen=True, slots=True)
class Image:
    """What QEMU is given."""

    kernel: Path
    initrd: Path
    root: Path  # an ext4 file system


def prepare(suite: str, timed: Timed) -> Image:
    """The image for a Debian suite, from the cache as far as that is of the present sources."""
    place = CACHE / suite
    root = place / "root"
    debian = digest(suite, files=[HERE / "build-debian", HERE / "guest" / "initramfs-init"])
    if _stale(place / "debian.key", debian):
        with timed(f"Debian {suite}"):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            _run(HERE / "build-debian", suite, place)
            _keep(place / "debian.key", debian)

    wanted = _requirements()
    wheels = digest(debian, *wanted, files=[CONSTRAINTS])
    if _stale(place / "wheels.key", wheels):
        with timed("wheels"):
            _install_wheels(root, wanted)
            _keep(place / "wheels.key", wheels)

    package = digest(wheels, files=_package_files())
    if _stale(place / "package.key", package):
        with timed("legcurl"):
            _install_package(root)
            _make_file_system(root, place / "root.ext4")
            _keep(place / "package.key", package)
    return Image(place / "vmlinuz", place / "initrd.gz", place / "root.ext4")


def digest(*words: str, files: Iterable[Path] = ()) -> str:
    """A digest of words, and of files with their names."""
    total = hashlib.sha256("\0".join(words).encode())
    for file in sorted(files):
        total.update(f"\0{file.relative_to(REPOSITORY)}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _stale(key: Path, wanted: str) -> bool:
    return not key.exists() or key.read_text() != wanted


def _keep(key: Path, made: str) -> None:
    """Written last: a stage that was interrupted is made again."""
    key.write_text(made)


def _requirements() -> list[str]:
    """What our package and its extras need, read from where the package says so."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(name for extra in EXTRAS for name in extras[extra])]


def _package_files() -> list[Path]:
    """All that host/hatch_build.py and hatchling put into the wheel."""
    folders = (REPOSITORY / "host" / "legcurl", REPOSITORY / "firmware")
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    files += [file for file in PYPROJECT.parent.iterdir() if file.is_file()]
    return [file for file in files if file.suffix != ".pyc"]


def _install_wheels(root: Path, wanted: list[str]) -> None:
    """Install for the guest's Python with this one's pip: the guest needs no network."""
    version = _run(
        *("chroot", root, "python3", "-c"),
        "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')",
    ).strip()
    target = root / "opt" / "wheels"
    shutil.rmtree(target, ignore_errors=True)
    glibc = range(NEWEST_GLIBC_MINOR, OLDEST_GLIBC_MINOR - 1, -1)
    platforms = [*(f"manylinux_2_{minor}_x86_64" for minor in glibc), "manylinux2014_x86_64"]
    abis = (f"cp{version.replace('.', '')}", "abi3", "none")
    _run(
        *(*_pip("install"), "--target", target, "--constraint", CONSTRAINTS),
        *("--only-binary", ":all:", "--python-version", version, "--implementation", "cp"),
        *(word for abi in abis for word in ("--abi", abi)),
        *(word for platform in platforms for word in ("--platform", platform)),
        *(*wanted, *TEST_TOOLS),
    )
    _compile(root, "/opt/wheels")


def _install_package(root: Path) -> None:
    """Build our own wheel, as a user would get it, and unpack it where the guest looks."""
    target = root / "opt" / "legcurl"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        _run(*_pip("wheel"), "--no-deps", "--wheel-dir", folder, REPOSITORY / "host")
        (wheel,) = Path(folder).glob("legcurl-*.whl")
        shutil.unpack_archive(wheel, target, "zip")
    _compile(root, "/opt/legcurl")


def _compile(root: Path, folder: str) -> None:
    """With the guest's own Python: in the guest it would take ten times as long."""
    _run("chroot", root, "python3", "-m", "compileall", "-q", "-j", "0", folder, failing=True)


def _make_file_system(root: Path, file: Path) -> None:
    used = sum(entry.lstat().st_blocks for entry in root.rglob("*")) // 2048
    file.unlink(missing_ok=True)
    _run(
        *("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, file),
        f"{used * 11 // 10 + SPARE_MB}M",
    )


def _pip(verb: str) -> tuple[str, ...]:
    options = ("--quiet", "--quiet", "--disable-pip-version-check")
    return (sys.executable, "-m", "pip", verb, *options)


def _run(*command: str | Path, failing: bool = False) -> str:
    """Run to the end; what it printed. Unless `failing` is all right, an error if it failed."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_CONSTRAINT": str(CONSTRAINTS), "PIP_ROOT_USER_ACTION": "ignore"},
    )
    if done.returncode and not failing:
        raise BuildError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
