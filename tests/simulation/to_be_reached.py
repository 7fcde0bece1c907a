"""What seeds ought to reach and do not yet, by what would have to happen in one: the next kinds of trouble to add.

A safety rule or the queue goes by each of these lines. They are tested one by one in `tests/unit` and
`tests/integration`, where somebody has thought of the order of events; here chance would choose it. Some are reached by
a seed in a hundred, so that fewer seeds leave them out.
"""

from typing import Final

from simulation.account import Reason

TO_BE_REACHED: Final = (
    # Builds.
    Reason(
        "an image is named by a pattern, and the newest of several files counts, also behind links",
        (
            "builds/pattern.py:*",
            "builds/post.py:_observe",
            "host/files.py:matching",
            "requests/by_build.py:BuildRequests._take",
            "requests/by_build.py:_changed_at",
            "requests/by_build.py:_found_at",
        ),
    ),
    Reason(
        "where an image is to be lies a directory, a pipe, a file that cannot be read, or one too large",
        (
            "requests/by_build.py:rebuilt_into",
            "boards/watched_files.py:WatchedFiles.note_untaken",
            "builds/lease.py:_read",
            "builds/lease.py:not_a_file",
            "builds/lease.py:read_settled",
            "builds/post.py:Post._complain",
            "builds/post.py:Post._read",
            "requests/by_build.py:BuildRequests.unreadable",
            "requests/by_build.py:_spool_again",
        ),
    ),
    Reason(
        "a file grows or is opened for writing in the moment between two looks of one read",
        ("builds/file_changes.py:FileChanges._rested", "builds/lease.py:_contents"),
    ),
    Reason(
        "the kernel's hints of changed files end, or the machine sleeps in the middle of a look at the clock",
        ("builds/builds.py:Builds._listen", "builds/post.py:reason_of", "builds/status_clock.py:StatusClock.read"),
    ),
    Reason(
        "a client follows a build on another machine, and sends it here",
        ("requests/by_build.py:BuildRequests.pushed", "server/uploads.py:Uploads._push"),
    ),
    Reason(
        "a client sends a file and names no partition, or no board: the file says itself where it belongs",
        (
            "images/guards.py:is_program_for",
            "images/homes.py:*",
            "images/placement.py:places",
            "requests/by_build.py:BuildRequests.accept",
            "requests/placing.py:*",
            "server/uploads.py:Uploads._commit_placed",
        ),
    ),
    Reason(
        "a client sends one file to boards of two products, for one of which it is wrong or another image",
        ("requests/by_build.py:_image_for",),
    ),
    Reason(
        "a build reaches beyond its partition: over a protected one, into the next, or with nothing in its own",
        (
            "flash/checks.py:check_image",
            "flash/target.py:*.place",
            "images/guards.py:_too_large",
            "images/guards.py:check",
            "images/image.py:Image.padded",
            "images/placement.py:_*",
            "images/placement.py:place",
            "images/placement.py:whole_image",
        ),
    ),
    # What people ask for.
    Reason(
        "a client waits for jobs, or for a build that cannot come: refused, offered, gone back from or never started",
        (
            "requests/waiting.py:*",
            "server/handlers.py:Handlers.wait_jobs",
        ),
    ),
    Reason(
        "a client compares a partition with a file, or fetches what was read piece by piece",
        (
            "jobs/job_images.py:read_image",
            "jobs/look_attempt.py:LookAttempt._with_what",
            "requests/verbs.py:VerbRequests._artifact",
            "requests/verbs.py:VerbRequests._plan_for",
            "requests/verbs.py:VerbRequests.piece",
            "server/handlers.py:Handlers.read_image",
        ),
    ),
    Reason(
        "a client asks for a plan, or wants a look, where another has taken the board, or the image is refused",
        ("jobs/lane.py:Lane._require_free_for_look", "requests/by_hand.py:HandRequests._plan_for"),
    ),
    Reason(
        "a client asks for the plan of an erase or a rollback, or goes back over patches, and is gone before the end",
        (
            "flash/dfuse_engine.py:DfuseEngine.survey_erase",
            "flash/engine.py:survey_erase",
            "flash/plain_engine.py:PlainEngine.*erase*",
            "flash/survey.py:_nothing_*",
            "jobs/device_thread.py:DeviceThread.opened",
            "jobs/lane.py:Lane._survey",
            "jobs/lane.py:Lane.survey_erase",
            "jobs/worker.py:Worker.survey_erase",
            "requests/going_back.py:*",
            "requests/verbs.py:VerbRequests.plan_erase",
            "server/handlers.py:Handlers.plan_erase",
            "server/handlers.py:rollback_handlers",
        ),
    ),
    Reason(
        "a client names several boards at once, or none, and not all of them can do it now",
        (
            "requests/readiness.py:*",
            "requests/verbs.py:VerbRequests._chosen",
            "requests/verbs.py:VerbRequests.read",
            "requests/verbs.py:VerbRequests.reset",
        ),
    ),
    Reason(
        "a client names a board, a partition or a job that there is not, or image names that are none",
        (
            "boards/bench.py:Bench.lane",
            "boards/bench.py:Bench.select",
            "images/spool.py:Spool.read",
            "jobs/book.py:JobBook._which_there_are",
            "jobs/book.py:JobBook.job",
            "jobs/flash_target.py:target_to_start",
        ),
    ),
    Reason(
        "a board that no profile fits, or several do, is adopted; or one that runs, hangs, or has another's name",
        (
            "boards/adoption.py:*",
            "boards/enrolment.py:Enrolment._memory_map",
        ),
    ),
    Reason(
        "another device takes the place of a board as it is opened, or another program opens it or resets it",
        (
            "jobs/worker.py:Worker._open",
            "usb/transport.py:Transport._forgotten",
            "usb/transport.py:_check_same",
        ),
    ),
    Reason(
        "another user of the machine connects, or so many who say nothing that others wait",
        ("server/server.py:Server._let_in", "server/server.py:Server._seat"),
    ),
    Reason(
        "a client reads nothing for longer than the daemon's patience, or less than it asks for",
        (
            "server/connection.py:Connection._receive",
            "server/connection.py:Connection._cut_off",
            "server/connection.py:Connection._send",
            "server/connection.py:Connection.subscribe",
            "server/connection.py:drained",
        ),
    ),
    # The configuration.
    Reason(
        "an edit moves a partition to another address, with jobs, contents and builds for the former one",
        (
            "boards/bench.py:Bench.hold_for_changes",
            "boards/watched_files.py:WatchedFiles.note_moved",
            "jobs/book.py:JobBook.forget",
            "jobs/restart.py:why_without_target",
            "requests/by_build.py:BuildRequests.offer_again",
            "requests/by_build.py:_why_offered",
            "requests/reloading.py:Configuration._forget",
            "requests/reloading.py:Configuration._moved",
            "requests/reloading.py:Configuration._take_over",
            "requests/reloading.py:Configuration.start",
            "requests/reloading.py:follow_in_journal",
            "state/journal.py:Journal.forget_contents",
        ),
    ),
    Reason(
        "an edit changes how long a build has to rest, or takes out what somebody just asks for",
        (
            "builds/post.py:Post._why_ended",
            "builds/post.py:Post.end",
            "builds/post.py:Post.keep_to",
            "builds/post.py:Post.look",
            "jobs/device_thread.py:DeviceThread.run",
        ),
    ),
    Reason(
        "an edit after which a partition, its sectors and the units of its flash do not fit together",
        (
            "flash/checks.py:block_size",
            "flash/checks.py:check_partition",
            "flash/dfuse_planner.py:DfusePlanner.__init__",
        ),
    ),
    Reason(
        "an included file is taken away, or a file is confirmed of which nothing needs that",
        ("requests/reloading.py:Configuration._checked", "requests/reloading.py:Configuration.trust"),
    ),
    Reason(
        "a client asks for a reload, which edits boards that are armed, disarmed and renamed at once",
        (
            "boards/bench.py:Bench.add",
            "requests/reloading.py:_told",
            "server/handlers.py:configuration_handlers",
        ),
    ),
    Reason(
        "a board has neither serial nor port in the configuration, shows no serial, or is one USB id in both modes",
        (
            "jobs/cached_image.py:*",
            "usb/recognition.py:_candidates",
            "usb/recognition.py:_sighting",
            "usb/recognition.py:mode_of",
        ),
    ),
    Reason(
        "a board shows another memory map than its profile has, or than it had when it was adopted or its job began",
        (
            "flash/checks.py:check_map",
            "jobs/engine_reports.py:EngineReports.opened",
            "jobs/worker.py:Worker._check_pins",
        ),
    ),
    # The disk.
    Reason(
        "the disk is full or fails just as a hold, a mark, an armed-once board or a former name is recorded",
        (
            "boards/board_file_mark.py:*",
            "boards/enrolment.py:Enrolment.disarm_used_up",
            "boards/enrolment.py:Enrolment.mark_file",
            "host/files.py:write",
            "jobs/after_error.py:AfterError._keep_from_reset",
            "jobs/engine_reports.py:EngineReports._try_to_use_up",
            "jobs/spooling.py:Spooling._prune",
            "requests/reloading.py:Configuration._file_names",
            "state/journal.py:Journal._run",
            "state/journal.py:_commit",
        ),
    ),
    Reason(
        "the state directory or the journal is removed, exchanged or opened to others while the daemon runs",
        (
            "state/journal.py:Journal._tell",
            "boards/bench.py:Bench.release",
            "state/journal.py:Journal._if_there",
            "state/journal.py:Journal.close",
            "state/journal.py:Journal.is_there",
            "state/lock.py:LockFile.take_again",
            "state/place.py:*",
        ),
    ),
    Reason(
        "a second daemon is started beside the first",
        ("host/files.py:read_at", "state/lock.py:_holder_of", "state/lock.py:_locked", "state/lock.py:sole"),
    ),
    Reason(
        "a look at a file of the daemon's own fails, or hangs for longer than a round of looks",
        ("host/quiet_looks.py:*",),
    ),
    # Boards on their way into DFU mode and out of it.
    Reason(
        "the application of a board cannot be asked: no access, no port, no command; or comes back again and again",
        (
            "entering/*:*",
            "jobs/after_error.py:AfterError._block_until_asked",
            "jobs/lane.py:Lane._reach",
            "jobs/worker.py:Worker.reach",
        ),
    ),
    Reason(
        "a board goes back by itself after a crash, crashes again, or must not, as it is on hold, taken, disarmed or "
        "flashed by hand",
        (
            "jobs/book.py:JobBook.go_back",
            "jobs/what_ran.py:*",
            "requests/going_back_itself.py:*",
            "requests/queueing.py:note_gone_back",
        ),
    ),
    Reason(
        "an application is lost, or its port, between its word and the end of `stays`, as its time is over, or as its "
        "port is opened; or what comes to light of it cannot be recorded",
        (
            "boards/bench.py:Bench._note_verdict",
            "boards/later_verdicts.py:*",
            "consoles/console_reader.py:ConsoleReader._close",
            "consoles/console_reader.py:ConsoleReader._come",
            "consoles/console_reader.py:ConsoleReader._lose",
            "consoles/console_reader.py:ConsoleReader._open",
            "consoles/console_reader.py:ConsoleReader._tell_watch_of_trouble",
            "consoles/console_reader.py:_close_late",
            "consoles/consoles.py:Consoles._note",
            "consoles/deaf_times.py:*",
            "consoles/line_joiner.py:*",
            "consoles/start_judge.py:*",
            "consoles/start_watch.py:*",
        ),
    ),
    Reason(
        "a board does not take the leave, is another one when it is back, or is back in DFU mode at once",
        (
            "jobs/lane.py:Lane._tell_of_other_device",
            "flash/dfuse_run.py:DfuseRun._leave_or_stay",
            "jobs/departure.py:*",
            "jobs/lane.py:Lane._could_not_leave",
            "jobs/lane.py:Lane._end_visit",
            "jobs/lane.py:Lane._next_due",
            "jobs/reset_attempt.py:*",
            "jobs/visit.py:wants_leave",
        ),
    ),
    Reason(
        "the kernel does not give back a transfer, or a list of devices, and the board is given up or the daemon ends",
        (
            "host/threads.py:OwnThread.end",
            "jobs/device_thread.py:DeviceThread._over",
            "jobs/device_thread.py:DeviceThread._tell",
            "jobs/lane.py:Lane._tell_of_lateness",
            "jobs/lane.py:Lane.run",
            "service.py:follow_bus",
            "supervision.py:*",
        ),
    ),
    # Flashing.
    Reason(
        "a board is lost while it is read, again and again, and after a rest is read once more",
        (
            "jobs/bootloader_book.py:_consequences",
            "jobs/bootloader_book.py:doubts",
            "jobs/after_error.py:AfterError._block_until_replugged",
            "jobs/after_error.py:AfterError._free_at",
            "jobs/after_error.py:AfterError.free_rested",
            "jobs/lane.py:Lane.lost_in_a_read",
            "jobs/look_attempt.py:LookAttempt._why_not",
            "jobs/lost_reads.py:*",
            "jobs/retry_policy.py:*",
        ),
    ),
    Reason(
        "a job is cancelled, outrun, put on hold or left without its board in one of few moments between two awaits",
        (
            "jobs/flash_attempt.py:FlashAttempt.check",
            "jobs/after_error.py:AfterError._again",
            "jobs/after_error.py:AfterError._apply",
            "jobs/after_error.py:AfterError._keep_written",
            "jobs/after_error.py:AfterError.meet",
            "jobs/erase_attempt.py:EraseAttempt.run",
            "jobs/erase_attempt.py:_never",
            "jobs/flash_attempt.py:FlashAttempt.run",
            "jobs/lane.py:Lane._advance",
            "jobs/lane.py:Lane._device_in_dfu",
            "jobs/restart.py:queue_again",
            "requests/queueing.py:queue_by_hand",
        ),
    ),
    Reason(
        "patches lie over one another, over an erase or over an image that is gone, and one of them is asked for again",
        (
            "jobs/contents.py:*",
            "jobs/engine_reports.py:EngineReports.settled",
            "jobs/look_attempt.py:LookAttempt._wanted",
            "jobs/queue.py:*",
            "boards/bench.py:Bench.is_armed",
            "requests/queueing.py:_patch_to_queue_again",
            "requests/queueing.py:_queue",
        ),
    ),
    Reason(
        "a bootloader erases in the wrong bank, or its flash fails or lies, just where a canary is",
        (
            "flash/banks.py:*",
            "flash/canary.py:*",
            "flash/checks.py:check_banks",
            "flash/dfuse_planner.py:DfusePlanner._canaries",
            "flash/dfuse_run.py:DfuseRun._begin",
        ),
    ),
    Reason(
        "the flash fails, lies or keeps an old byte just in the boot unit, or in the same sector each time",
        (
            "flash/dfuse_run.py:DfuseRun._do_boot_unit_again",
            "flash/dfuse_run.py:DfuseRun._erase_for_good",
            "flash/dfuse_run.py:DfuseRun._leave_unbootable",
            "flash/dfuse_run.py:DfuseRun._mend",
            "flash/dfuse_run.py:DfuseRun._read_boot_unit",
            "flash/dfuse_run.py:DfuseRun._together",
            "flash/dfuse_run.py:DfuseRun._withdraw",
            "flash/dfuse_run.py:DfuseRun._write_boot_unit",
            "flash/dfuse_run.py:DfuseRun.finish",
            "flash/readback.py:ReadBack._wrong_boot_unit",
            "flash/readback.py:ReadBack.read_boot_unit",
        ),
    ),
    Reason(
        "reading is refused, fails twice or reaches other places than it should, just where it is to be proved",
        (
            "flash/dfuse_engine.py:*",
            "flash/dfuse_planner.py:*",
            "flash/readback.py:*",
            "flash/reading.py:*",
            "flash/remarks.py:*",
        ),
    ),
    Reason(
        "a plain DFU device takes an image otherwise than it was sent, or answers reads with something else",
        (
            "flash/plain_engine.py:PlainEngine.flash",
            "flash/plain_planner.py:*",
            "flash/plain_run.py:*",
        ),
    ),
    Reason(
        "a bootloader stays busy behind an erase that it has done, claims minutes, or answers with too few bytes",
        (
            "dfu/dfuse_session.py:DfuseSession._erase",
            "dfu/dfuse_session.py:DfuseSession._reads_blank",
            "dfu/dfuse_session.py:DfuseSession.read",
            "dfu/wire.py:parse_status",
            "jobs/progress_reports.py:*",
        ),
    ),
)
"""All of that; what is said of a function first counts."""
