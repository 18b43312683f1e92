"""Requests and their answers on one link, among the frames that come in.

`receive` gives every frame in the order of the wire. `ask` sends a request and waits for the answer
with the same id and op, one request at a time as the protocol wants it, and repeats it while
nothing comes; another task must receive meanwhile. An answer to no open request is dropped: a
repeated request is answered twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from legcurl.concurrency import until_first
from legcurl.errors import (
    FrameError,
    LinkLostError,
    NotASensorError,
    ProtocolVersionError,
)
from legcurl.links.route import Link, Route
from legcurl.protocol.frame import Answer, Frame, FrameDecoder
from legcurl.protocol.requests import (
    HIGHEST_MAJOR,
    LOWEST_MAJOR,
    Hello,
    Op,
    Result,
    hello_request,
    read_hello,
    refusal,
)

REPEAT_S = 1.0  # "MAY repeat a request after one second": docs/protocol.md
BUSY_PAUSE_S = 0.2
HEARD_BYTES = 256  # of what comes first: enough to know a MicroPython prompt or a GPS
IDS = 256

Request = Callable[[int], bytes]  # from the id to the bytes: see requests.py


class NoAnswerError(LinkLostError):
    """A request was repeated for `patience_s`, and no answer came."""


class RequestClient:
    """One conversation over one link."""

    def __init__(self, link: Link, *, name: str, patience_s: float, first_id: int = 0) -> None:
        self.decoder = FrameDecoder()
        self.received_s = 0.0  # host's monotonic time at which the last bytes came
        self.answered_s = 0.0  # the same for the bytes that held the last answer waited for
        self._link = link
        self._name = name
        self._patience_s = patience_s
        self._next_id = first_id % IDS
        self._turn = asyncio.Lock()
        self._expected: tuple[int, int] | None = None  # id and op of the request under way
        self._answer: asyncio.Future[Answer] | None = None
        self._asking = asyncio.Event()
        self._heard = bytearray()

    async def receive(self) -> list[Frame] | None:
        """Wait for bytes and give the frames they complete; None once the sensor has ended."""
        chunk = await self._link.read()
        self.received_s = monotonic()
        if not chunk:
            return None
        if len(self._heard) < HEARD_BYTES:
            self._heard += chunk[: HEARD_BYTES - len(self._heard)]
        frames = self.decoder.push(chunk)
        return [frame for frame in frames if not isinstance(frame, Answer) or self._take(frame)]

    async def discard_frames(self) -> None:
        """Receive for the sake of answers alone, until the sensor ends."""
        while await self.receive() is not None:
            pass

    async def ask(
        self, op: Op, request: Request, *, patience_s: float | None = None, repeats: bool = True
    ) -> Answer:
        """Ask until an answer comes that is not "busy"; it may still be a refusal.

        Without `repeats` the request is sent once. Raises NoAnswerError, LinkLostError.
        """
        patience_s = self._patience_s if patience_s is None else patience_s
        async with self._turn:
            number = self._next_id
            self._next_id = (number + 1) % IDS
            packet = request(number)
            self._asking.set()
            try:
                async with asyncio.timeout(patience_s):
                    while True:
                        answer = await self._answer_to(packet, number, op, repeats=repeats)
                        if answer.result != Result.BUSY:
                            return answer
                        await asyncio.sleep(BUSY_PAUSE_S)
            except TimeoutError:
                raise NoAnswerError(
                    f"{self._name} has not answered for {patience_s:.0f} s."
                ) from None
            finally:
                self._asking.clear()
                self._expected = None

    async def granted(
        self, op: Op, request: Request, *, patience_s: float | None = None, repeats: bool = True
    ) -> Answer:
        """Ask; raise RequestRefusedError unless the answer is ok."""
        answer = await self.ask(op, request, patience_s=patience_s, repeats=repeats)
        refused = refusal(answer)
        if refused is not None:
            raise refused
        return answer

    def abandon(self) -> None:
        """The link is given up: a request that waits for its answer fails at once."""
        if self._expected is not None and self._answer is not None and not self._answer.done():
            self._answer.set_exception(LinkLostError(f"{self._name} went away before it answered."))

    async def asking(self) -> None:
        """Wait until a request is under way, or return at once while one is."""
        await self._asking.wait()

    async def greet(self) -> Hello:
        """Say hello. Raises NotASensorError, ProtocolVersionError."""
        try:
            hello = read_hello(await self.granted(Op.HELLO, hello_request))
        except NoAnswerError as error:
            raise NotASensorError(self._about_stranger()) from error
        except FrameError as error:
            raise NotASensorError(
                f"{self._name} speaks in legcurl's frames, but not as a legcurl sensor does: "
                f"{error} Install this version's firmware on it."
            ) from error
        if not hello.speaks_ours:
            raise ProtocolVersionError(_about_version(self._name, hello))
        return hello

    async def _answer_to(self, packet: bytes, number: int, op: Op, *, repeats: bool) -> Answer:
        self._expected = (number, op)
        self._answer = asyncio.get_running_loop().create_future()
        while True:
            await self._link.write(packet)
            try:
                async with asyncio.timeout(REPEAT_S if repeats else None):
                    return await asyncio.shield(self._answer)
            except TimeoutError:
                continue

    def _take(self, answer: Answer) -> bool:
        """Give an answer to the open request; False if it belongs to none."""
        if (answer.id, answer.op) != self._expected or self._answer is None or self._answer.done():
            return False
        self.answered_s = self.received_s
        self._answer.set_result(answer)
        return True

    def _about_stranger(self) -> str:
        """Say what answers instead of a sensor, as far as its bytes show."""
        heard = bytes(self._heard)
        if b">>>" in heard or b"MicroPython" in heard:
            return (
                f"{self._name}: a board with MicroPython answers, but legcurl's firmware does not "
                "run on it. Copy the firmware to the board and restart it."
            )
        if heard:
            return (
                f"{self._name}: something sends there, but it is no legcurl sensor ({len(heard)} "
                f"bytes, beginning {heard[:16]!r}). Choose another port: legcurl sensors shows "
                "which are ours."
            )
        return (
            f"{self._name}: nothing answers. If it is a legcurl sensor, unplug it and plug it in "
            "again, and make sure that no other program reads this port."
        )


async def probe(route: Route) -> Hello:
    """Connect, say hello, and disconnect. Raises as `greet`."""
    link = await route.connect()
    try:
        client = RequestClient(link, name=route.name, patience_s=route.patience_s)
        hello = await until_first(client.discard_frames(), client.greet())
        if hello is None:
            raise NotASensorError(f"{route.name} ended before it said who it is.")
        return hello
    finally:
        await link.close()


def _about_version(name: str, hello: Hello) -> str:
    theirs = ".".join(map(str, hello.protocol))
    ours = f"{LOWEST_MAJOR}" if LOWEST_MAJOR == HIGHEST_MAJOR else f"{LOWEST_MAJOR}-{HIGHEST_MAJOR}"
    newer = hello.protocol[0] > HIGHEST_MAJOR
    remedy = (
        "Update legcurl on this computer: pip install --upgrade legcurl."
        if newer
        else "Install this version's firmware on the sensor."
    )
    return (
        f"{name}: sensor {hello.sensor_id} (firmware {hello.firmware}) speaks protocol {theirs}, "
        f"{'newer' if newer else 'older'} than this host's {ours}. {remedy}"
    )
