"""The work of jobs in words."""

from typing import Any

import pytest
from msgspec.structs import replace

from canned_daemon import SHA, job
from flashdeck.job_state import Done, JobKind, JobResult, Verified
from flashdeck.model import Contents
from flashdeck.problems import last_failures
from flashdeck.verdict import Judgement, Verdict
from flashdeck.words.contents import contents_name, contents_state, contents_text
from flashdeck.words.jobs import result_text, status_text
from flashdeck.words.work import doing_word, kind_word, work_name, work_text
from job_states import FAILED, RESULT

READ = JobResult(
    bytes_written=0,
    erases=0,
    blocks=0,
    transfers=10,
    uploads=5,
    slept=0.0,
    seconds=1.0,
    verified=Verified.YES,
    protection="",
    bytes_read=5 * 1024,
)


@pytest.mark.parametrize("kind", JobKind)
def test_every_kind_has_its_words(kind: JobKind) -> None:
    assert kind_word(kind)
    assert doing_word(kind)


@pytest.mark.parametrize(
    ("fields", "name", "text"),
    [
        ({}, "1.2.3", "1.2.3 into app1"),
        ({"version": ""}, SHA[:12], f"{SHA[:12]} into app1"),
        ({"kind": JobKind.VERIFY}, "verify 1.2.3", "verify 1.2.3 app1"),
        ({"kind": JobKind.VERIFY, "sha256": "", "version": ""}, "verify", "verify app1"),
        ({"kind": JobKind.READ, "version": ""}, "read", "read app1"),
        ({"kind": JobKind.ERASE, "sha256": "", "version": ""}, "erase", "erase app1"),
        ({"kind": JobKind.RESET, "sha256": "", "version": "", "partition": ""}, "leave DFU mode", "leave DFU mode"),
    ],
)
def test_what_a_job_does_is_told_by_its_image_or_its_kind(fields: dict[str, Any], name: str, text: str) -> None:
    assert (work_name(job(1, **fields)), work_text(job(1, **fields))) == (name, text)


def test_what_was_read_is_told_with_what_is_different() -> None:
    assert result_text(READ) == "5 KiB read in 1.0 s, verified"
    one, some = replace(READ, different=1, first_difference=0x08020010), replace(READ, different=3)
    assert result_text(one).endswith("1 byte is different, the first at 0x08020010")
    assert result_text(some).endswith("3 bytes are different")


def test_an_erase_is_told_by_its_sectors() -> None:
    assert result_text(RESULT, JobKind.ERASE) == "3 sectors erased in 2.0 s, verified"


def test_an_erased_partition_says_what_follows_from_it() -> None:
    erased = Contents(sha256="", size=0, flashed_at=1.0, verified=Verified.YES, job=1, erased=True)
    assert contents_name(erased) == "nothing"
    assert contents_state(erased).text == "erased"
    assert "builds are offered until you flash one" in contents_text(erased, plain=False).text


def test_a_job_that_only_reads_neither_is_a_failure_of_its_board_nor_puts_one_right() -> None:
    failed, verified = job(1, status=FAILED), job(2, kind=JobKind.VERIFY, status=Done(result=READ))
    assert list(last_failures((failed, verified)).values()) == [failed]
    assert not last_failures((job(3, kind=JobKind.VERIFY, status=FAILED),))


def test_a_job_without_counts_says_its_verdict() -> None:
    assert status_text(Done(verdict=Judgement(verdict=Verdict.RUNS))) == "done: runs"
