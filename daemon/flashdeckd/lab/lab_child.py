"""The process `flashdeckd labgrid`: the daemon's way into a lab, in a process of its own.

labgrid takes 45 MB, and a fault in it is not to be the daemon's. The process ends with its standard input.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from flashdeckd.lab.lab_exporter import LabExporter
from flashdeckd.lab.lab_lines import FromLab, LabAnswer, LabBoards, LabSettings


async def speak(lines: AsyncIterator[bytes], tell: Callable[[FromLab], object]) -> None:
    """Do what the daemon's lines say until they end; the first one is the settings. Raises msgspec.DecodeError."""
    exporter = LabExporter(msgspec.json.decode(await anext(lines), type=LabSettings), tell)

    async def hear() -> None:
        async for line in lines:
            exporter.hear(msgspec.json.decode(line, type=LabBoards | LabAnswer))

    tasks = (asyncio.create_task(exporter.run()), asyncio.create_task(hear()))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
