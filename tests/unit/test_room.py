"""Room in scratch: nobody gets more than there is, everybody gets his turn, and nothing fails for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from domain.errors import TransferError
from downloader.room import Hold, NoRoom, Room


class Scratch:
    """Partial files that wait, by their names; the first goes first."""

    def __init__(self, **kept: int) -> None:
        self.kept = kept

    async def trim(self, most: int, spare: Path | None) -> int:
        others = {name: size for name, size in self.kept.items() if spare is None or name != spare.name}
        while sum(others.values()) > most:
            name = next(iter(others))
            del others[name], self.kept[name]
        return sum(others.values())


def run(scenario: Callable[[Room], Awaitable[None]], limit: int = 100, **kept: int) -> Scratch:
    scratch = Scratch(**kept)

    async def whole() -> None:
        room = Room(limit, scratch.trim)
        await room.open()
        async with asyncio.timeout(5):
            await scenario(room)

    asyncio.run(whole())
    return scratch


async def settled() -> None:
    """Everyone who can go on has done so."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_who_finds_no_room_waits_for_his_turn() -> None:
    order: list[int] = []

    async def scenario(room: Room) -> None:
        gate = asyncio.Event()

        async def take(size: int) -> None:
            async with room.hold(size):
                order.append(size)
                await gate.wait()

        async with asyncio.TaskGroup() as group:
            for size in (60, 50, 10, 30):
                group.create_task(take(size))
                await settled()
            assert order == [60]  # 10 would fit, and waits behind 50
            gate.set()

    run(scenario)
    assert order == [60, 50, 10, 30]


def test_who_grows_too_far_gives_way_and_comes_again() -> None:
    async def scenario(room: Room) -> None:
        async with room.hold(60), room.hold(10) as growing:
            growing.grow_to(40)
            with pytest.raises(NoRoom) as told:
                growing.grow_to(41)
            assert (told.value.size, growing.size) == (41, 40)
        async with room.hold(41), room.hold(59):
            pass

    run(scenario)


def test_what_does_not_say_how_long_it_is_takes_twice_as_much_each_time() -> None:
    async def scenario(room: Room) -> None:
        async with room.hold(10) as hold:
            for received, taken in ((10, 10), (11, 20), (25, 40), (100, 100)):
                hold.reach(received)
                assert hold.size == taken

    run(scenario)


def test_what_never_fits_is_told() -> None:
    async def scenario(room: Room) -> None:
        with pytest.raises(TransferError, match="too large: it does not fit into scratch, which may hold 100 bytes"):
            async with room.hold(101):
                pass
        async with room.hold(100):
            pass

    run(scenario)


def test_who_leaves_the_line_lets_the_next_one_in() -> None:
    async def scenario(room: Room) -> None:
        async with room.hold(60):
            waiting = asyncio.create_task(room.hold(50).__aenter__())
            await settled()
            behind = asyncio.create_task(room.hold(40).__aenter__())
            await settled()
            assert not behind.done()
            waiting.cancel()
            assert isinstance(await behind, Hold)

    run(scenario)


def test_partial_files_count_and_give_way_only_when_they_must() -> None:
    async def scenario(room: Room) -> None:
        async with room.hold(30):
            pass
        async with room.hold(60):
            pass

    assert run(scenario, old=40, newer=30).kept == {"newer": 30}


def test_what_earlier_processes_left_is_cut_to_the_limit() -> None:
    async def scenario(_: Room) -> None: ...

    assert run(scenario, old=90, newer=30).kept == {"newer": 30}


def test_a_partial_file_that_is_gone_on_with_counts_once() -> None:
    async def scenario(room: Room) -> None:
        async with room.hold(90, spare=Path("mine")) as hold:
            hold.left = 50
        async with room.hold(50):
            pass

    assert run(scenario, mine=80).kept == {"mine": 80}
