"""One member of a consumer group: it joins, is given partitions, stays alive, commits, and leaves. It reads nothing.

Three connections to the coordinator: one on which joining may wait for all others, one for heartbeats and one for
commits, so that none of these holds up another. While a round of joining goes on, what is held is held on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka.errors import (
    IllegalGenerationError,
    MemberIdRequired,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

from routing.log.kafka.assignor import Member, deal
from routing.log.kafka.coordinator import Coordinator
from routing.log.kafka.group_protocol import (
    PROTOCOL,
    PROTOCOL_TYPE,
    Given,
    partitions_by_topic,
    read_given,
    read_member,
    write_given,
    write_member,
)
from routing.log.kafka.options import words
from routing.log.kafka.wire import BACKOFF, REQUEST_MS, KafkaError, Wire
from routing.log.port import LogAway, LogError, TopicPartition

FENCED: Final = 82
"""The error code that says: another process has joined under this static member's name."""

_REBALANCE_MS: Final = 30_000
_LEAVE_SECONDS: Final = 2.0
_COMMIT_SECONDS: Final = 10.0
_LONGEST_BEAT: Final = 1.0
_BEATS_A_SESSION: Final = 6
_LONGEST_MARGIN: Final = 1.0
_MARGINS_A_SESSION: Final = 4
_AFTER_REFUSAL: Final = 2.0


class Membership:
    """`name` is the member's own, `topics` are named as the cluster knows them, `session` is in seconds.

    With `static` the group knows the member by its name: whoever joins under it is given what it had, without the
    others taking part. `holds` says what is held now, `changed` is called when `assignment` changed, `thrown_out` when
    this member is none any more, at once.
    """

    def __init__(
        self,
        wire: Wire,
        group: str,
        name: str,
        topics: Sequence[str],
        *,
        partitions: int,
        session: float,
        static: bool,
        holds: Callable[[], Sequence[TopicPartition]],
        changed: Callable[[], None],
        thrown_out: Callable[[], None],
    ) -> None:
        self._coordinator = Coordinator(wire, group)
        self._group = group
        self._name = name
        self._instance = name if static else None
        self._topics = frozenset(topics)
        self._partitions = partitions
        self._session = session
        self._holds = holds
        self._changed = changed
        self._thrown_out = thrown_out
        self._id = ""
        self._generation = self._dealt = -1
        self._heard = float("-inf")
        self._ousted = 0
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._committing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.assignment: frozenset[TopicPartition] | None = None
        """What the last round gave to this member; None while it is none."""
        self.failure: str | None = None
        """Why the cluster does not let it take part, if so."""

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._wanted.set()
        self._tasks = [loop.create_task(self._join_when_wanted()), loop.create_task(self._beat())]

    async def leave(self, *, stay: bool) -> None:
        """End. The partitions go to the others at once; with `stay`, while its name may bring them back, when the
        session is over."""
        stay = stay and self._instance is not None
        if not stay:  # who is let in after it left is waited for by the others
            try:
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._settled.wait()
            except TimeoutError:
                pass
        member = self._id
        self.end()
        if member and not stay:
            try:
                await self._coordinator.ask(
                    LeaveGroupRequest(self._group, member), lane="commits", timeout=_LEAVE_SECONDS
                )
            except (KafkaError, LogError):
                pass  # its session ends by itself

    def end(self) -> None:
        """End without a word, as a killed process does."""
        for task in self._tasks:
            task.cancel()
        self._id, self._generation = "", -1
        self.assignment = None
        self._heard = float("-inf")
        self._ousted += 1

    def join_again(self) -> None:
        """Take part in a new round: what is held changed."""
        self._wanted.set()

    def alive(self) -> bool:
        """Whether the group still counts on this member: its last sign of life that was answered is young enough."""
        margin = min(_LONGEST_MARGIN, self._session / _MARGINS_A_SESSION)
        return self.assignment is not None and time.monotonic() < self._heard + self._session - margin

    # --- joining -----------------------------------------------------------------------------------------------------

    async def _join_when_wanted(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._settled.clear()
            try:
                again = not await self._join()
                self.failure = None
            except KafkaError as error:
                again = True
                if not error.retriable:
                    self.failure = f"the group {self._group} does not let {self._name} in: {words(error)}"
                    await asyncio.sleep(_AFTER_REFUSAL)
            except LogAway:
                again = True
            except LogError as error:
                again = True
                self.failure = str(error)
                await asyncio.sleep(_AFTER_REFUSAL)
            except Exception as error:  # noqa: BLE001 - what others say in a round may be odd; nobody else would tell
                again = True
                self.failure = f"the group {self._group} cannot be joined: {type(error).__name__}: {error}"
                await asyncio.sleep(_AFTER_REFUSAL)
            if again:
                self._wanted.set()
                await asyncio.sleep(BACKOFF)
            else:
                self._settled.set()

    async def _join(self) -> bool:
        """One round, from asking to be let in to being given partitions; whether it came to its end."""
        told = Member(self._name, self._topics, self._dealt, frozenset(self._holds()))
        request = JoinGroupRequest(
            self._group, int(self._session * 1000), _REBALANCE_MS, self._id, self._instance, PROTOCOL_TYPE,
            [(PROTOCOL, write_member(told))],
        )  # fmt: skip
        sent = time.monotonic()
        answer = await self._coordinator.ask(request, lane="joining", timeout=(_REBALANCE_MS + REQUEST_MS) / 1000)
        error = self._coordinator.judge(answer.error_code)
        if isinstance(error, MemberIdRequired):
            self._id = answer.member_id
            return await self._join()
        if self._is_ousted(error, answer.error_code):
            return False
        if error is not None:
            raise error
        self._id, self._generation = answer.member_id, answer.generation_id
        self._heard = max(self._heard, sent)
        leads = answer.leader_id == answer.member_id
        return await self._sync(self._deal(answer.members) if leads else [])

    async def _sync(self, dealt: Sequence[tuple[str, bytes]]) -> bool:
        sent = time.monotonic()
        request = SyncGroupRequest(self._group, self._generation, self._id, self._instance, dealt)
        answer = await self._coordinator.ask(request, lane="joining", timeout=(_REBALANCE_MS + REQUEST_MS) / 1000)
        error = self._coordinator.judge(answer.error_code)
        if isinstance(error, RebalanceInProgressError) or self._is_ousted(error, answer.error_code):
            return False
        if error is not None:
            raise error
        self._heard = max(self._heard, sent)
        given = read_given(answer.member_assignment)
        self.assignment = given.tps
        self._dealt = self._generation
        self._changed()
        if given.to != self._id and not (given.whole and self._topics <= given.topics):
            # It was dealt to the process that had this name before, which may not have let go of all that it had to,
            # or read fewer topics: another round makes it good.
            self._wanted.set()
        return True

    def _deal(self, members: Sequence[tuple[Any, ...]]) -> list[tuple[str, bytes]]:
        """As the leader: who is given what."""
        found = {each[0]: read_member(each[-1]) for each in members}
        topics = frozenset(topic for member in found.values() for topic in member.topics)
        dealt = deal(found, self._partitions)
        whole = sum(map(len, dealt.values())) == len(topics) * self._partitions
        return [(to, write_given(Given(frozenset(tps), to, topics, whole))) for to, tps in dealt.items()]

    def _is_ousted(self, error: KafkaError | None, code: int) -> bool:
        if code != FENCED and not isinstance(error, UnknownMemberIdError | IllegalGenerationError):
            return False
        self._oust()
        return True

    def _oust(self) -> None:
        """The group goes on without this member, and may have given its partitions to others. It joins as a new one.

        It gives up its static name as well: by now another process may have it.
        """
        self._instance = None
        self._id, self._generation, self._dealt = "", -1, -1
        self.assignment = None
        self._heard = float("-inf")
        self._ousted += 1
        self._thrown_out()
        self._wanted.set()

    # --- staying alive -----------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        every = min(_LONGEST_BEAT, self._session / _BEATS_A_SESSION)
        while True:
            await asyncio.sleep(every)
            if self._generation < 0:
                continue
            try:
                await self._beat_once(timeout=2 * every)
            except (KafkaError, LogError):
                continue  # `alive` says what comes of it

    async def _beat_once(self, *, timeout: float) -> None:
        member, generation, sent = self._id, self._generation, time.monotonic()
        request = HeartbeatRequest(self._group, generation, member)
        answer = await self._coordinator.ask(request, lane="heartbeats", timeout=timeout)
        error = self._coordinator.judge(answer.error_code)
        if (member, generation) != (self._id, self._generation):
            return  # it says nothing of the member that this is now
        if error is None or isinstance(error, RebalanceInProgressError):
            self._heard = max(self._heard, sent)
        if isinstance(error, RebalanceInProgressError):
            self._round_goes_on()
        elif isinstance(error, UnknownMemberIdError | IllegalGenerationError) and self._settled.is_set():
            self._oust()

    def _round_goes_on(self) -> None:
        """Take part, unless it does: joining once more after that round would begin another one, and so on for ever."""
        if self._settled.is_set():
            self._wanted.set()

    # --- commits -----------------------------------------------------------------------------------------------------

    async def commit(
        self, commits: Mapping[TopicPartition, tuple[int, str]], mine: Callable[[TopicPartition], bool]
    ) -> list[TopicPartition]:
        """Offsets and texts, durable when it returns; those that were not `mine` any more were not committed.

        Raises LogAway when nobody can say, LogError when the cluster refuses.
        """
        ousted = self._ousted

        async def attempt() -> list[TopicPartition]:
            if ousted != self._ousted:
                return list(commits)
            going = {tp: commit for tp, commit in commits.items() if mine(tp)}
            if going and not await self._commit_once(going):
                return list(commits)
            return [tp for tp in commits if tp not in going]

        async with self._committing:  # a commit that is tried again must not come behind a later one
            return await self._coordinator.keep_asking(attempt, within=_COMMIT_SECONDS)

    async def _commit_once(self, commits: Mapping[TopicPartition, tuple[int, str]]) -> bool:
        """False: this is no member any more."""
        member, generation = self._id, self._generation
        topics = [(topic, [(tp.partition, *commits[tp]) for tp in tps]) for topic, tps in partitions_by_topic(commits)]
        request = OffsetCommitRequest(self._group, generation, member, -1, topics)
        answer = await self._coordinator.ask(request, lane="commits", timeout=REQUEST_MS / 1000)
        code = max((code for _, partitions in answer.topics for _, code in partitions), key=abs, default=0)
        error = self._coordinator.judge(code)
        if error is None:
            return True
        if isinstance(error, RebalanceInProgressError):
            if (member, generation) == (self._id, self._generation):
                self._round_goes_on()
        elif isinstance(error, UnknownMemberIdError | IllegalGenerationError):
            if (member, generation) == (self._id, self._generation) and self._settled.is_set():
                self._oust()
                return False
        else:
            raise error
        raise _Later  # a round goes on: its end shows whether this is still a member

    async def committed(self, tps: Mapping[TopicPartition, Any]) -> dict[TopicPartition, tuple[int, str]]:
        """Offset (-1: none) and text of each, as stored. Raises LogAway or LogError."""
        wanted = [(topic, [tp.partition for tp in of_topic]) for topic, of_topic in partitions_by_topic(tps)]

        async def attempt() -> dict[TopicPartition, tuple[int, str]]:
            request = OffsetFetchRequest(self._group, wanted)
            answer = await self._coordinator.ask(request, lane="commits", timeout=REQUEST_MS / 1000)
            found: dict[TopicPartition, tuple[int, str]] = {}
            codes = [answer.error_code]
            for topic, partitions in answer.topics:
                for number, offset, text, code in partitions:
                    codes.append(code)
                    found[TopicPartition(topic, number)] = (offset, text or "")
            error = self._coordinator.judge(next((code for code in codes if code), 0))
            if error is not None:
                raise error
            return found

        return await self._coordinator.keep_asking(attempt, within=_COMMIT_SECONDS)


class _Later(KafkaError):  # type: ignore[misc]
    """Not now, but it may pass."""

    retriable = True
