"""A board's MicroPython, as far as the unix VM is not one: `board_rom.py WHAT STATE`.

Runs on the MicroPython VM. The flash is a file with littlefs on it, mounted where the working
directory then is, so what fills up, tears or survives does so as on a board. STATE is a directory:
`flash` is that file, `about.json` says what board this is.

    format         make an empty file system
    put FROM       copy the files of a host directory into it
    list           print what is on it, as JSON: path → hexadecimal content
    look           print what a start would run: prompt, foreign or firmware
    prompt         come up at the prompt (run with -i)
    foreign        run main.py, and end at the prompt (run with -i); while there is a file
                   STATE/interruptible, a SIGINT is a Ctrl-C to it, and before that it would be
                   the end of the process
    firmware DIR   run our firmware out of the flash, in front of the simulator's shims

A chip runs machine code of its own kind only, and so does this VM, which is another. So for
`firmware` a compiled file with native code is replaced on its way from flash to memory by the
same source compiled for this VM, which DIR holds under the SHA-256 of the file in flash. A file
that is not exactly what that board's compiler makes of our source is refused, as a board refuses
what it cannot load.
"""

import json
import os
import sys
from hashlib import sha256

import empty_room
import vfs

this_vm = sys  # the prompt shares this module's names, and what is typed there may import `sys`
BLOCK = 4096
FLASH = "/flash"
RESET = 64  # exit code of machine.reset()
HEAD_FEATURES = 2  # byte of a .mpy file: processor in the upper six bits


class FlashChip:
    """A file as a block device."""

    def __init__(self, path):
        self._file = open(path, "r+b")  # noqa: SIM115 - as long as this board has power
        self._blocks = os.stat(path)[6] // BLOCK

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK + offset)
        self._file.write(buffer)
        self._file.flush()

    def ioctl(self, op, _argument):
        return {4: self._blocks, 5: BLOCK}.get(op, 0)


class Implementation:
    """sys.implementation of that board."""

    name = "micropython"

    def __init__(self, about):
        self._machine = about["machine"]
        self._mpy = about["mpy"]
        self.version = tuple(about["version"]) + ("",)  # noqa: RUF005 - the VM lacks the other

    def __getitem__(self, index):
        return (self.name, self.version, self._machine, self._mpy)[index]


class BoardSys:
    """The sys module, but for what it says it is."""

    def __init__(self, about):
        self.implementation = Implementation(about)
        self.platform = about["platform"]

    def __getattr__(self, name):
        return getattr(this_vm, name)


class BoardMachine:
    """The machine module, as far as a prompt needs it."""

    def reset(self):
        this_vm.exit(RESET)


def files_in(directory):
    for entry in os.ilistdir(directory):
        path = directory + "/" + entry[0]
        if entry[1] & 0x4000:
            yield from files_in(path)
        else:
            yield path


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(root, path, content):
    for index, character in enumerate(path):
        if character == "/":
            try:  # noqa: SIM105 - MicroPython has no contextlib
                os.mkdir(root + "/" + path[:index])
            except OSError:  # it is there
                pass
    with open(root + "/" + path, "wb") as file:
        file.write(content)


def put(source):
    for path in files_in(source):
        write(FLASH, path[len(source) + 1 :], read(path))


def stored():
    return {path[len(FLASH) + 1 :]: read(path) for path in files_in(FLASH)}


def program():
    names = os.listdir(FLASH)
    if "main.py" not in names:
        return "prompt"
    return "firmware" if "board.json" in names else "foreign"


def dress(about):
    sys.modules["machine"] = BoardMachine()
    if about["bluetooth"]:
        sys.modules["bluetooth"] = empty_room
    sys.modules["sys"] = BoardSys(about)


def load_into_memory(memory, translations):
    for path, content in stored().items():
        if path.endswith(".mpy") and content[HEAD_FEATURES] >> 2:
            try:
                content = read(translations + "/" + sha256(content).digest().hex())
            except OSError:
                raise ValueError("incompatible .mpy file: " + path) from None
        if path.endswith((".py", ".mpy")):
            write(memory, path, content)


def run_firmware(state, translations, boot):
    memory = state + "/memory"
    load_into_memory(memory, translations)
    os.putenv("LEGCURL_FLASH", FLASH)
    sys.modules["bluetooth"] = empty_room
    sys.argv[:] = [boot, memory]
    with open(boot) as file:
        text = file.read()
    exec(compile(text, boot, "exec"), {"__name__": "__main__", "__file__": boot})


def power_up(what, state, *more):
    chip = FlashChip(state + "/flash")
    if what == "format":
        vfs.VfsLfs2.mkfs(chip)
        return
    vfs.mount(vfs.VfsLfs2(chip), FLASH)
    os.chdir(FLASH)
    if what == "put":
        put(*more)
    elif what == "list":
        print(json.dumps({path: content.hex() for path, content in stored().items()}))
    elif what == "look":
        print(program())
    elif what == "firmware":
        run_firmware(state, *more)
    else:
        with open(state + "/about.json") as file:
            dress(json.load(file))
        if what == "foreign":
            open(state + "/interruptible", "w").close()
            try:  # noqa: SIM105
                exec(read("main.py"), {"__name__": "__main__"})
            except KeyboardInterrupt:
                pass


power_up(*sys.argv[1:])
