"""What a partition has: the newest image over what earlier ones left."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_rig import APP1, SECTOR, TARGET
from flashdeck.config import ErasePolicy
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeck.model import Contents, JobState, Layer, Origin
from flashdeckd.flash.target import Target
from flashdeckd.images.image import NOTHING, Image, Piece
from flashdeckd.jobs.contents import MAX_LAYERS, MAX_PATCHES, begun, distrusted, flashed, known_bytes
from job_states import RUNNING

SECTORS = 4
SMALL = replace(TARGET, span=Range.sized(APP1.start, SECTORS * SECTOR))
PROGRAM = Image.raw(b"P" * 100)
PATCH = Image.of([Piece(2 * SECTOR + 10, b"patch")])


@dataclass
class Board:
    """What is recorded of one partition, and the images that it was made from."""

    target: Target = SMALL
    contents: Contents | None = None
    images: dict[str, Image] = field(default_factory=dict[str, Image])
    jobs: int = 0

    def job(self, image: Image) -> JobState:
        self.jobs += 1
        self.images[image.sha256] = image
        return JobState(
            id=self.jobs,
            board="left",
            partition="app1",
            sha256=image.sha256,
            size=image.size,
            origin=Origin.BUILD,
            patch=not image.is_program,
            status=RUNNING,
            created_at=0.0,
        )

    def begin(self, image: Image, erased: Sequence[Range]) -> JobState:
        job = self.job(image)
        self.contents = begun(self.contents, job, erased, made=made(job), target=self.target)
        return job

    def flash(self, image: Image, erased: Sequence[Range] | None = None) -> None:
        spans = self.target.touched(image) if erased is None else erased
        job = self.begin(image, spans)
        self.contents = flashed(self.contents, job, spans, made=made(job), target=self.target, image_of=self.images.get)

    @property
    def known(self) -> Image:
        return known_bytes(self.contents, self.target, self.images.get)


def made(job: JobState) -> Contents:
    return Contents(sha256=job.sha256, size=job.size, flashed_at=0.0, verified=Verified.NO, job=job.id)


def test_a_program_and_the_rest_of_its_sectors() -> None:
    board = Board()
    board.flash(PROGRAM)
    assert board.known == Image.raw(b"P" * 100 + b"\xff" * (SECTOR - 100))


def test_a_patch_lies_over_the_program_and_leaves_it_what_it_is() -> None:
    board = Board()
    board.flash(PROGRAM)
    board.flash(PATCH)
    assert board.contents is not None
    assert board.contents.sha256 == PROGRAM.sha256
    assert [patch.sha256 for patch in board.contents.patches] == [PATCH.sha256]
    assert board.known.satisfies(PROGRAM)
    assert board.known.satisfies(PATCH)
    board.flash(Image.raw(b"N" * 200))
    assert [patch.sha256 for patch in board.contents.patches] == [PATCH.sha256]  # its sector was not touched
    board.flash(Image.raw(b"N" * (3 * SECTOR)))
    assert board.contents.patches == ()
    assert not board.known.satisfies(PATCH)


def test_a_patch_over_another_takes_its_place_in_the_list() -> None:
    board = Board()
    board.flash(PROGRAM)
    board.flash(PATCH)
    other = Image.of([Piece(2 * SECTOR + 8, b"another patch")])
    board.flash(other)
    assert board.contents is not None
    assert [patch.sha256 for patch in board.contents.patches] == [other.sha256]


def test_a_patch_on_a_board_of_which_nothing_is_known() -> None:
    board = Board()
    board.flash(PATCH)
    assert board.contents is not None
    assert board.contents.sha256 == ""
    assert board.known.satisfies(PATCH)


def test_a_patch_does_not_make_a_program_whole_that_was_cut_short() -> None:
    board = Board()
    board.begin(PROGRAM, SMALL.touched(PROGRAM))
    board.flash(PATCH)
    assert board.contents is not None
    assert not board.contents.complete
    assert not board.known.satisfies(PROGRAM)


def test_what_an_interrupted_flash_has_erased_is_not_known_and_the_rest_is() -> None:
    board = Board()
    board.flash(Image.raw(b"x" * (3 * SECTOR)))
    board.begin(PROGRAM, SMALL.touched(PROGRAM))
    assert board.known == Image.of([Piece(SECTOR, b"x" * (2 * SECTOR))])


def test_a_smaller_program_leaves_what_it_does_not_touch() -> None:
    board = Board()
    board.flash(Image.raw(b"x" * (3 * SECTOR)))
    board.flash(PROGRAM)
    assert board.known.within(Range(SECTOR, 3 * SECTOR)) == Image.of([Piece(SECTOR, b"x" * (2 * SECTOR))])
    assert board.contents is not None
    assert len(board.contents.layers) == 2


def test_an_image_that_covers_all_of_another_is_all_that_is_remembered() -> None:
    board = Board()
    for letter in b"abc":
        board.flash(Image.raw(bytes([letter]) * 100))
    assert board.contents is not None
    assert len(board.contents.layers) == 1


def test_layers_are_bounded() -> None:
    board = Board()
    for number in range(3 * MAX_LAYERS):
        board.flash(Image.of([Piece(number * 16, bytes([number]))]), erased=())
    assert board.contents is not None
    assert len(board.contents.layers) == MAX_LAYERS


def test_all_of_the_partition_is_known_where_all_of_it_is_erased() -> None:
    board = Board(replace(SMALL, erase=ErasePolicy.PARTITION))
    board.flash(PROGRAM)
    assert board.known.size == SMALL.span.size


def test_what_an_older_release_recorded() -> None:
    old = Contents(sha256=PROGRAM.sha256, size=100, flashed_at=0.0, verified=Verified.YES, job=1)
    board = Board(contents=old, images={PROGRAM.sha256: PROGRAM})
    assert board.known == PROGRAM
    assert Board(contents=msgspec.structs.replace(old, complete=False), images=board.images).known == NOTHING


def test_an_image_that_nobody_has_any_more_may_have_been_anywhere() -> None:
    board = Board()
    board.flash(PROGRAM)
    board.flash(PATCH)
    del board.images[PATCH.sha256]
    assert board.known == NOTHING


def test_what_was_read_back_wrong_is_not_known() -> None:
    board = Board()
    board.flash(PROGRAM)
    assert board.contents is not None
    board.contents = distrusted(board.contents)
    assert board.known == NOTHING
    board.flash(PATCH)
    assert board.known.satisfies(PATCH)
    assert not board.contents.complete


def test_a_program_over_contents_that_are_uncertain_leaves_nothing_known_below() -> None:
    """Another device may have been flashed in the board's place: what the program does not touch is not known."""
    board = Board()
    board.flash(Image.raw(b"o" * 3 * SECTOR))
    board.flash(PATCH)
    assert board.contents is not None
    board.contents = msgspec.structs.replace(board.contents, uncertain=True)
    job = board.begin(PROGRAM, [Range(0, SECTOR)])
    assert not board.known.pieces
    spans = [Range(0, SECTOR)]
    board.contents = flashed(board.contents, job, spans, made=made(job), target=SMALL, image_of=board.images.get)
    assert board.known == Image.raw(PROGRAM.read(Range(0, SECTOR)))
    assert not board.contents.patches
    assert not board.contents.uncertain


def test_a_program_that_was_there_leaves_nothing_known_below_if_contents_were_uncertain() -> None:
    """It was read, and nothing was erased for it."""
    board = Board()
    board.flash(Image.raw(b"o" * 3 * SECTOR))
    assert board.contents is not None
    board.contents = msgspec.structs.replace(board.contents, uncertain=True)
    job = board.job(PROGRAM)
    board.contents = flashed(board.contents, job, (), made=made(job), target=SMALL, image_of=board.images.get)
    assert board.known == PROGRAM


def test_layers_travel() -> None:
    board = Board()
    board.flash(PROGRAM)
    assert board.contents is not None
    assert board.contents.layers == (Layer(sha256=PROGRAM.sha256, erased=((0, SECTOR),)),)
    assert msgspec.json.decode(msgspec.json.encode(board.contents), type=Contents) == board.contents


def pieces_over(pieces: list[tuple[int, bytes]]) -> Image:
    image = NOTHING
    for offset, data in pieces:
        image = Image.of([Piece(offset, data)]).over(image)
    return image


SIZE = SECTORS * SECTOR
spots = st.sampled_from([0, 1, 100, SECTOR - 1, SECTOR, SECTOR + 5, 2 * SECTOR, 3 * SECTOR - 2, 3 * SECTOR + 9])
images = st.lists(st.tuples(spots, st.binary(min_size=1, max_size=8)), min_size=1, max_size=4).map(pieces_over)
flashes = st.lists(st.tuples(images, st.sets(st.integers(0, SECTORS - 1)), st.booleans()), max_size=6)


@given(flashes, st.binary(min_size=1, max_size=1))
@settings(deadline=None)
def test_what_is_said_to_be_known_is_there(history: list[tuple[Image, set[int], bool]], old: bytes) -> None:
    """Whatever a plan erases (here: any of the touched sectors), nothing is believed that the flash does not have."""
    board, flash = Board(), bytearray(old * SIZE)
    for image, kept, cut_short in history:
        erased = [span for span in sectors_of(image) if span.start // SECTOR not in kept]
        kept_right = all(
            image.difference(span.start, bytes(flash[span.start : span.end])) is None
            for span in sectors_of(image)
            if span not in erased
        )
        if not kept_right:
            erased = sectors_of(image)
        for span in erased:
            flash[span.start : span.end] = b"\xff" * span.size
        if cut_short:
            board.begin(image, erased)
            continue
        for piece in image.pieces:
            flash[piece.offset : piece.end] = piece.data
        board.flash(image, erased)
        assert board.known.satisfies(image)
    assert board.known.difference(0, bytes(flash)) is None


def sectors_of(image: Image) -> list[Range]:
    spans = [Range.sized(index * SECTOR, SECTOR) for index in range(SECTORS)]
    return [span for span in spans if image.touches(span)]


def test_so_many_patches_are_listed() -> None:
    board = Board()
    board.flash(PROGRAM)
    for number in range(1, MAX_PATCHES + 2):  # each has all bytes of those before it
        board.flash(Image.of([Piece(SECTOR, b"x" * number)]), erased=())
        assert board.contents is not None
        assert len(board.contents.patches) == min(number, MAX_PATCHES)
