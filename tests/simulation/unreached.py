"""The code of the daemon that no seed reaches, and why: none can, or none needs to.

A reason stands for functions, and says where they are tested instead. What seeds ought to reach, because a safety rule
or the queue goes by it, has no excuse here: it stands in `to_be_reached`.
"""

from typing import Final

from simulation.account import Reason, Reasons
from simulation.to_be_reached import TO_BE_REACHED

_MACHINE: Final = (
    Reason(
        "real USB: a daemon of emulated boards loads neither libusb nor udev (rule 10)",
        (
            "boards/real_usb.py:*",
            "usb/device_reads.py:*",
            "usb/hotplug.py:*",
            "usb/libusb.py:*",
            "usb/serial_ports.py:*",
            "usb/sysfs.py:*",
            "usb/udev*.py:*",
        ),
        ("unit/usb", "vm"),
    ),
    Reason(
        "a transfer that goes wrong as only libusb, the kernel or a real device lets it: no access, half a block sent, "
        "a text or a configuration that cannot be read",
        (
            "usb/descriptors.py:_walk",
            "usb/strings.py:decode_string",
            "usb/transport.py:Transport.__init__",
            "usb/transport.py:Transport.send",
            "usb/transport.py:Transport.text",
            "usb/transport.py:_configuration",
            "usb/transport.py:_dfu_interfaces",
            "usb/transport.py:_objection",
            "usb/transport.py:_translated",
            "usb/transport.py:_unusual",
            "usb/transport.py:open_device",
        ),
        ("unit/usb", "unit/recording"),
    ),
    Reason(
        "a device whose attributes the kernel does not hand out, as it hangs: emulated ones tell of themselves at once",
        (
            "boards/bench.py:Bench._tell_of_unread",
            "usb/device.py:UnreadDevice.*",
            "usb/recognition.py:_hangs",
            "usb/recognition.py:_may_be",
            "usb/recognition.py:shared_now",
        ),
        ("unit/usb", "unit/boards"),
    ),
    Reason(
        "the machine itself, whose place the simulation takes at the seams",
        (
            "builds/filesystem.py:*",
            "builds/inotify.py:*",
            "builds/source.py:*",
            "builds/watch_pace.py:*",
            "host/clock.py:*",
            "host/commands.py:*",
            "host/executor.py:*",
            "host/open_files.py:*",
            "host/processes.py:*",
            "host/randomness.py:*",
            "host/serial_lines.py:*",
            "host/service_manager.py:*",
            "host/sockets.py:*",
            "host/standard_input.py:*",
            "host/threads.py:_Python*",
            "host/threads.py:is_main",
        ),
        ("unit/host", "unit/builds"),
    ),
    Reason(
        "calls of the file system for what only other programs and daemons of real boards look at",
        ("host/files.py:free_bytes", "host/files.py:is_*", "host/files.py:open_to_a*"),
        ("unit/host", "unit/diagnosis"),
    ),
    Reason(
        "SIGIO is made harmless before a seed begins",
        ("builds/builds.py:Builds.run", "builds/lease.py:install_sigio"),
        ("unit/builds", "integration/test_signals.py"),
    ),
    Reason(
        "which program has a file open: the simulated machine has one program, the daemon",
        (
            "builds/writers.py:*",
            "builds/post.py:Post._note_kept",
            "builds/post.py:Post._tell_kept",
            "boards/watched_files.py:WatchedFiles.note_kept_open",
            "requests/by_build.py:BuildRequests.kept_open",
        ),
        ("unit/builds", "unit/boards"),
    ),
    Reason(
        "a file system without leases or a foreign user's file: the simulated disk has leases for every file",
        (
            "builds/lease.py:_take_lease",
            "builds/lease.py:ask_writing",
            "builds/post.py:Post._judge",
            "builds/post.py:Post._say_unproved",
        ),
        ("unit/builds",),
    ),
)

_OTHER_PROGRAMS: Final = (
    Reason(
        "other programs of the daemon's package: the doctor without a daemon, `scan`, `follow`, the command line",
        (
            "__main__.py:*",
            "following.py:*",
            "log_format.py:*",
            "offline_doctor.py:*",
            "scanning/*:*",
            "signals.py:*",
            "images/raw_address.py:*",
            "images/elf.py:has_interpreter",
            "images/elf.py:may_be_firmware",
            "usb/descriptors.py:interfaces",
        ),
        ("unit/scanning", "integration/test_printed_by_flashdeckd.py", "integration/test_signals.py"),
    ),
    Reason(
        "boards that are part of a lab, and the process that speaks with its coordinator: no seed is in one",
        ("lab/*:*", "jobs/lab_book.py:*", "jobs/lab_gate.py:*", "host/child_lines.py:*"),
        ("unit/lab", "unit/jobs/test_jobs_in_a_lab.py", "lab"),
    ),
    Reason(
        "slots, and the units that come and go there: no seed has any",
        ("slotting/*:*", "boards/slot_gate.py:*", "usb/enumeration.py:*"),
        ("unit/slotting", "integration/test_units_in_slots.py", "integration/test_lots.py"),
    ),
    Reason(
        "boards that take turns at their host controller: no seed limits one, so that nobody waits there",
        (
            "jobs/controller_budget.py:*",
            "jobs/controller_place.py:*",
            "jobs/lane.py:Lane._wait_for_controller",
            "jobs/lane.py:Lane._tell_of_late_leave",
            "jobs/book.py:JobBook.retell",
        ),
        (
            "unit/jobs/test_controller_budget.py",
            "unit/jobs/test_controller_place.py",
            "integration/test_turns_at_controllers.py",
        ),
    ),
    Reason(
        "numbers for Prometheus: no seed's configuration asks for them, and they change nothing",
        ("metrics/*:*",),
        ("unit/metrics", "integration/test_metrics_of_a_daemon.py"),
    ),
    Reason(
        "the doctor, which writes nothing",
        (
            "boards/bench.py:Bench.was_shared",
            "diagnosis/*:*",
            "jobs/lane.py:Lane.examine",
            "jobs/worker.py:Worker.examine",
            "server/handlers.py:Handlers.doctor",
        ),
        ("unit/diagnosis", "integration/test_doctor_of_a_bench.py"),
    ),
    Reason(
        "recordings of a board, which are an aid for whoever looks into one",
        (
            "usb/record*.py:*",
            "virtual/replay.py:*",
            "server/handlers.py:recording_handlers",
            "service.py:_recorded",
            "service.py:_recorder",
        ),
        ("unit/recording", "integration/test_recorded_boards.py"),
    ),
    Reason(
        "hooks are commands of a person's own, which run when a job has ended and change nothing of it",
        ("jobs/hooks.py:*", "jobs/book.py:JobBook.note_hook"),
        ("unit/jobs/test_hooks.py", "integration/test_hooks_of_a_daemon.py"),
    ),
    Reason(
        "consoles that are named by a path, or that another program has: the world has the ports of applications "
        "alone, and one program",
        (
            "consoles/board_hearing.py:BoardHearing.begin",
            "consoles/console_port.py:*",
            "consoles/console_reader.py:ConsoleReader._why_to_close",
            "consoles/console_reader.py:ConsoleReader.drained",
            "consoles/consoles.py:Consoles.look",
            "host/files.py:device_number",
            "host/heard_lines.py:*",
            "virtual/voice.py:Voice.opened",
        ),
        ("unit/consoles", "unit/host", "integration/test_consoles_of_a_daemon.py"),
    ),
    Reason(
        "the record of what boards say, which persons read: pages and files of it, floods and bytes that are no text; "
        "no verdict goes by it",
        (
            "consoles/console_file.py:*",
            "consoles/console_reader.py:ConsoleReader._drop*",
            "consoles/console_reader.py:ConsoleReader._end_window",
            "consoles/console_reader.py:ConsoleReader._step",
            "consoles/console_reader.py:ConsoleReader._take",
            "consoles/console_reader.py:ConsoleReader._watch_again",
            "consoles/console_reader.py:ConsoleReader.has",
            "consoles/console_reader.py:ConsoleReader.release",
            "consoles/console_reader.py:ConsoleReader.resume",
            "consoles/console_record.py:*",
            "consoles/consoles.py:Consoles._tell_of_fault",
            "consoles/consoles.py:Consoles.of",
            "consoles/consoles.py:_Keeper.has",
            "consoles/line_cutter.py:*",
            "requests/following_consoles.py:*",
            "server/handlers.py:console_handlers",
            "usb/port_keeper.py:*",
        ),
        ("unit/consoles", "integration/test_consoles_of_a_daemon.py"),
    ),
    Reason(
        "the report of a crash with functions and lines, which persons read: the images of the world are no programs, "
        "and no ELF file lies beside them",
        (
            "boards/running_programs.py:*",
            "crashes/*:*",
            "images/elf.py:code",
        ),
        ("unit/crashes", "integration/test_crashes_of_a_daemon.py"),
    ),
    Reason(
        "what applications say as the file of a bench has it, or by hand: the world chooses their words itself",
        ("virtual/speech.py:*", "virtual/voice.py:*"),
        ("unit/virtual",),
    ),
    Reason(
        "a daemon whose bench is a file: the world makes its boards itself, and plugs them in without the daemon",
        (
            "service.py:_emulated",
            "virtual/bench_file.py:*",
            "virtual/board.py:VirtualBoard.dump",
            "virtual/board.py:VirtualBoard.fault",
            "virtual/board.py:VirtualBoard.look_up",
            "virtual/chip_flash.py:*",
            "virtual/flash_file.py:*",
            "virtual/methods.py:*",
            "virtual/nor.py:FlashLayout.*",
            "virtual/nor.py:NorFlash.load",
            "virtual/nor.py:NorFlash.whole",
            "virtual/nor.py:fill",
            "host/files.py:make_link",
            "virtual/serial_ports.py:*",
            "virtual/spec.py:*",
            "virtual/virtual_bench.py:*",
        ),
        ("unit/virtual", "integration"),
    ),
)

_EMULATION: Final = (
    Reason(
        "an emulated bootloader answers as the published code of the real one does, also what flashdeck never asks",
        (
            "virtual/application.py:*",
            "virtual/classic.py:*",
            "virtual/dapboot.py:*",
            "virtual/dfuse.py:*",
            "virtual/identity.py:*",
            "virtual/tinyusb.py:*",
            "virtual/usbx.py:*",
            "virtual/usbx_default.py:*",
            "virtual/zephyr.py:*",
        ),
        ("unit/virtual",),
    ),
    Reason(
        "the emulated bus and flash: what a bootloader does to them that no seed has, and what a test is told of a "
        "request that has no place there",
        (
            "virtual/backend.py:*",
            "virtual/board.py:*",
            "virtual/bus_clock.py:*",
            "virtual/faults.py:*",
            "virtual/nor.py:*",
            "virtual/violations.py:*",
        ),
        ("unit/virtual",),
    ),
)

_IMAGES: Final = (
    Reason(
        "formats of files that no build of the tree has: it has raw binaries and Intel HEX",
        (
            "images/dfu_file.py:*",
            "images/elf.py:*",
            "images/formats.py:*",
            "images/parsing.py:*",
            "images/s_record.py:*",
        ),
        ("unit/images", "integration/test_elf_to_flash.py"),
    ),
    Reason(
        "a HEX file that no linker writes: cut off, damaged, in another dialect, or in too many pieces",
        (
            "images/image.py:ContradictionError.*",
            "images/intel_hex.py:*",
            "images/segments.py:*",
            "images/text_records.py:*",
        ),
        ("unit/images",),
    ),
    Reason(
        "programs with an MCUboot header or a CRC, which no build of the tree has",
        (
            "images/crc_guard.py:*",
            "images/guards.py:_verdict",
            "images/mcuboot.py:*",
            "images/mcuboot_guard.py:*",
            "images/program.py:Program.home",
            "images/program.py:Program.why_hidden",
        ),
        ("unit/images",),
    ),
    Reason(
        "what is said of a program that belongs elsewhere, for chips and places that no board of the world has",
        (
            "images/addresses.py:*",
            "images/program.py:*",
            "images/reset_guard.py:*",
            "images/stack_guard.py:*",
            "images/vector_table.py:*",
        ),
        ("unit/images",),
    ),
    Reason(
        "versions, banners and build-ids that the builds of the tree do not have in them",
        ("images/version.py:*",),
        ("unit/images/test_image_version.py",),
    ),
    Reason(
        "an image in the spool that somebody has damaged, or that another release wrote",
        ("images/image.py:Image.decode", "images/spool.py:_decoded"),
        ("unit/images",),
    ),
)

_BOOTLOADERS: Final = (
    Reason(
        "defence against flashdeck itself: what is refused here no part of it asks for, as long as it has no fault",
        (
            "dfu/addressing.py:*",
            "dfu/dfuse_session.py:DfuseSession._require_block",
            "dfu/fence.py:*",
            "dfu/plain_session.py:PlainSession._require_room",
            "images/image.py:Image.of",
            "jobs/book.py:IllegalMoveError.*",
            "jobs/book.py:JobBook.begin_attempt",
            "jobs/book.py:JobBook.move",
            "jobs/lane.py:Lane._meet",
            "jobs/lane.py:_fault",
            "requests/reloading.py:Configuration.follow",
            "server/connection.py:Connection._cancel",
            "server/connection.py:Connection._serve",
            "service.py:_run",
            "state/carried_through.py:_hear",
        ),
        ("unit/dfu", "unit/images", "unit/jobs", "unit/state", "unit/wire"),
    ),
    Reason(
        "descriptors and memory maps of odd devices: the table of quirks, and what no emulated bootloader shows",
        (
            "dfu/descriptor.py:*",
            "dfu/facts.py:*",
            "dfu/quirks.py:*",
            "flash/checks.py:check_download",
            "dfu/plain_session.py:PlainSession._find",
            "dfu/plain_session.py:PlainSession._not_found",
            "dfu/plain_session.py:PlainSession._require_plain",
        ),
        ("unit/dfu", "unit/flash", "unit/diagnosis"),
    ),
    Reason(
        "a board that answers in a way that none of the emulated ones does, nor any of their faults",
        (
            "dfu/class_requests.py:*",
            "dfu/leaving.py:*",
            "dfu/plain_session.py:*",
            "dfu/polling.py:*",
            "dfu/recovery.py:*",
        ),
        ("unit/dfu", "unit/flash"),
    ),
)

_STATE: Final = (
    Reason(
        "files of the state directory that somebody has damaged, exchanged or had written by another release",
        (
            "images/flattening.py:*",
            "jobs/book.py:JobBook.bring_instead",
            "requests/by_build.py:BuildRequests._named_anew",
            "requests/queueing.py:rename_image",
            "boards/board_file.py:*",
            "boards/bench.py:Bench.hold_unknown",
            "host/durable.py:name_aside",
            "service.py:_begin_lost_board_file_anew",
            "state/config_record_file.py:*",
            "state/journal.py:Journal.heeded",
            "state/journal.py:Journal.load",
            "state/journal.py:Journal.open",
            "state/journal.py:_begin_anew",
            "state/journal.py:_load",
            "state/journal.py:_make",
            "state/journal.py:_open_file",
            "state/journal.py:_readable",
            "state/journal.py:set_aside",
            "state/journal_schema.py:*",
            "state/kept_log.py:_begin",
            "state/kept_log.py:_open",
        ),
        ("unit/journal", "unit/state", "integration/test_lost_records.py", "integration/test_upgrade.py"),
    ),
    Reason(
        "the log and the list of troubles for a person: pages of it, and more of it than one screen takes",
        (
            "requests/past_log.py:*",
            "state/health.py:*",
            "state/log_readers.py:LogReaders.wait",
            "state/hub.py:Hub.debug_lines",
            "state/hub.py:Hub.logged",
            "state/hub.py:Hub.logs",
            "state/hub.py:Hub.oldest_line",
            "state/hub.py:_newest",
            "state/kept_log.py:KeptLog.*",
            "state/kept_log.py:_below",
        ),
        ("unit/state", "integration/test_history.py", "integration/test_log_of_a_flash.py"),
    ),
    Reason(
        "pages of the journal of a daemon that has run for months",
        (
            "boards/sightings.py:Sightings.note_shared",
            "jobs/book.py:JobBook._forget_old",
            "requests/past_jobs.py:*",
            "state/hub.py:Hub.forget_job",
            "state/journal.py:Journal.with_jobs",
            "state/journal.py:_page",
        ),
        ("unit/journal", "integration/test_history.py", "unit/jobs/test_job_limits.py", "unit/boards"),
    ),
    Reason(
        "what was forgotten to make room: a seed has less than there is room for",
        (
            "images/file_notes.py:*",
            "images/shelf.py:*",
            "jobs/job_images.py:GuardVerdicts.check",
            "jobs/kept_images.py:RecentImages._add",
            "jobs/satisfaction.py:Satisfaction._remembered",
        ),
        ("unit/images", "unit/jobs"),
    ),
    Reason(
        "a lock, a socket or a state directory that is in the way or belongs to others, as the daemon starts",
        (
            "host/files.py:make_directory",
            "server/endpoint.py:*",
            "state/lock.py:_opened",
        ),
        ("unit/wire", "unit/host"),
    ),
)

_CLIENTS: Final = (
    Reason(
        "flash maps as a screen draws them, which cost no request: no client of the simulation has a screen",
        (
            "jobs/flash_maps.py:*",
            "jobs/map_drawing.py:*",
            "server/handlers.py:Handlers.maps",
            "state/hub.py:Hub.publish_map",
        ),
        ("unit/jobs/test_flash_maps.py", "unit/jobs/test_map_drawing.py", "integration/test_flash_maps.py"),
    ),
    Reason(
        "looks at what there is, which change nothing, and that no client of the simulation takes",
        (
            "server/handlers.py:Handlers.boards",
            "server/handlers.py:Handlers.debug_log",
            "server/handlers.py:Handlers.jobs",
            "server/handlers.py:log_handlers",
            "server/handlers.py:version_handlers",
            "server/uploads.py:Uploads.__len__",
        ),
        ("unit/wire", "integration"),
    ),
    Reason(
        "lines that are no calls, and calls of another protocol: the odd clients of the simulation speak this one",
        (
            "server/connection.py:Connection._begin",
            "server/connection.py:Connection._greeted",
            "server/connection.py:Connection._next_line",
            "server/connection.py:Connection._refuse",
            "server/seldom.py:*",
            "server/server.py:Server._call",
            "server/server.py:Server._hello",
            "server/uploads.py:Uploads._begin",
            "server/uploads.py:Uploads._chunk",
            "server/uploads.py:Uploads._ended",
            "server/uploads.py:Uploads._find",
        ),
        ("unit/wire", "integration/test_versions_of_a_daemon.py"),
    ),
    Reason(
        "more clients than there is room for, and events that wait for one until older ones are left out",
        (
            "server/backlog.py:Backlog.*",
            "server/connection.py:Connection.idle_seconds",
            "server/connection.py:Connection.turn_away",
            "server/server.py:Server._a*",
            "server/server.py:Server._end*",
            "server/server.py:Server._find_room",
            "server/server.py:Server._no_room",
            "server/server.py:Server._t*",
        ),
        ("unit/wire", "integration/test_crowds.py"),
    ),
    Reason(
        "the place of the socket is gone, or another one's: where clients find the daemon, and not what it does",
        ("server/doorkeeper.py:*", "server/server.py:_unreachable"),
        ("unit/wire", "integration/test_lost_places.py"),
    ),
)

REASONS: Final = Reasons(
    TO_BE_REACHED, (*_MACHINE, *_OTHER_PROGRAMS, *_EMULATION, *_IMAGES, *_BOOTLOADERS, *_STATE, *_CLIENTS)
)
"""All that is said of lines that no seed reaches."""
