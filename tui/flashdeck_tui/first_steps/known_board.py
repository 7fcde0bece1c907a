"""A board that is configured already: what was found for it is flashed, and nothing is written. Pure."""

import glob
from collections.abc import Iterator, Sequence

from flashdeck.config import Partition, Profile
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.first_board.found import FoundBuild
from flashdeck.model import BoardState
from flashdeck.names import which
from flashdeck.text import clean
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import KnownFacts
from flashdeck_tui.first_steps.setup import BoardSetup, ImageFor


def again(facts: KnownFacts, state: BoardState, given: Given) -> BoardSetup:
    """Return what there is to flash onto a configured board, which may be nothing: the images that were named, if any.

    Raises RequestError where one was named for a partition that it does not have.
    """
    board = facts.config.boards.get(state.name)
    if board is None:
        raise RequestError(
            f"board {clean(state.name)} is configured in a file that is not read here",
            hint="plug in the board that is to be new, or flash this one: flashdeck flash",
        )
    if given.images is not None:
        return BoardSetup(state.name, board.profile, "", tuple(_named(board.profile, given.images, given)))
    current = {each.name for each in state.partitions if each.current}
    images = tuple(each for each in files_for(board.profile, facts, by_address=True) if each.partition not in current)
    return BoardSetup(state.name, board.profile, "", images)


def unused(given: Given) -> str:
    """Return a remark on the options that say nothing to a configured board; "" where there are none."""
    said = {
        "--chip": given.flash is not None,
        "--alt": given.settings is not None,
        "--banks": given.trusts_banks,
        "--app": given.app is not None,
        "--enter": given.enter is not None,
        "--enter-hint": bool(given.enter_hint),
        "--name": bool(given.name),
    }
    options = [option for option, is_given in said.items() if is_given]
    return f"This board is configured and stays as it is: nothing comes of {', '.join(options)}." if options else ""


def _named(profile: Profile, paths: Sequence[str], given: Given) -> Iterator[ImageFor]:
    open_ones = [each.name for each in profile.partitions.values() if not each.protected]
    for path in paths:
        name = given.names.get(path, "")
        if name not in open_ones:
            raise RequestError(
                f"the boards of {profile.name} have no partition '{clean(name)}' that can be flashed",
                hint=which(name, open_ones),
                kind=ErrorKind.NO_SUCH_PARTITION,
            )
        yield ImageFor(name, path)


def files_for(profile: Profile, facts: KnownFacts, *, by_address: bool = False) -> tuple[ImageFor, ...]:
    """Return the newest build for each partition: of the path that it names, or `by_address`."""
    return tuple(
        ImageFor(partition.name, build.best.path)
        for partition in profile.partitions.values()
        if not partition.protected
        for build in _for(partition, facts, by_address=by_address)[:1]
    )


def _for(partition: Partition, facts: KnownFacts, *, by_address: bool) -> list[FoundBuild]:
    """Return the builds for a partition: of its own path, else `by_address` those linked for its start."""
    own = [
        build
        for build in facts.builds
        if partition.image and partition.image in (build.best.path, glob.escape(build.best.path))
    ]
    if own or partition.alternate is not None or not by_address:
        return own
    return [build for build in facts.builds if build.best.start == partition.span.start]
