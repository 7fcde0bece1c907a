# Everything that a developer types. Needs git, make and Python 3.11 or newer with venv; the rest goes into .venv.
#
#   make demo     the main job on emulated boards, to play with (ONCE=1, or without a terminal: ends by itself)
#   make test     the tests, the very large ones by samples (below six minutes on two cores)
#   make long-test  those whole, and what is slow: every interruption, a long run, the manual's commands, ssh
#   make soak     the very large tests, larger: interruptions, long runs, hostile devices (some 100 minutes)
#   make vm-test  the suite of the virtual machine: a real kernel, udev, libusb, dfu-util (TESTS="-k …", REV=HEAD)
#   make bench    what flashdeck costs: a table, and build/bench/bench.json (QUICK=1: smaller, no virtual machine; JSON=FILE)
#   make limits   doubles and halves every limit, one at a time, and names those that no test noticed (ten minutes; ONLY=dfu)
#   make sim      the daemon whole in a simulated world, in virtual time: many seeds, or one (SEEDS=n, SEED=n)
#   make sim-proof which seeds of `make sim` find planted bugs and random mutations (an hour; ONLY=lease, SOME=3, MUTATIONS=50, SEEDS=n)
#   make sim-cuts cuts each kind of job on each emulated board at each of its places (EVERY=10: every tenth)
#   make sim-coverage the lines of the daemon that seeds reach by themselves, and why not the others (SEEDS=n; PAGE=1: into docs)
#   make packages the wheel, installed by pip, pipx and uv, and every command of it (TESTS="-k …")
#   make lab-test the tests beside a real labgrid, in .venv-labgrid, an environment of its own (TESTS="-k …")
#   make check    formatting, lint, types, import contracts
#   make format   what `make check` would ask for, done
#   make docs     the site of the manual, in build/docs, and its references of keys anew
#   make pictures docs/tui.svg, as the terminal interface draws itself, and docs/demo.svg, a recording of the demo
#   make diagram  the life of a job in CONTRIBUTING.md, drawn again from its table
#   make recordings  tests/data/recordings, recorded anew on an emulated board
#   make schema   config/schema again, as the models are now; man pages and completion, as the commands are
#   make chips    the chip table again, from clones of its sources under SOURCES=DIR (see CONTRIBUTING)
#   make clean    back to a fresh clone

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
LAB := .venv-labgrid
LAB_READY := $(LAB)/ready
# Twice as many processes as cores, for many tests wait. A file or two by themselves start sooner in one process.
PARALLEL := -n 4 --dist worksteal
# Hundreds of tests start a daemon or a command line: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test long-test soak vm-test bench limits sim sim-proof sim-cuts sim-coverage packages lab-test check format docs pictures diagram recordings schema chips clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(READY)
	@exec $(BIN)/flashdeck demo $(if $(ONCE),--once)

test: $(READY)
	$(BIN)/pytest $(PARALLEL) -m 'not long'

long-test: $(READY)
	FLASHDECK_LONG=1 $(BIN)/pytest $(PARALLEL) -m 'soak or long'

soak: $(READY) $(LAB_READY)
	FLASHDECK_SOAK=1 $(BIN)/pytest $(PARALLEL) -m soak --timeout=7200
	FLASHDECK_SOAK=1 $(LAB)/bin/pytest tests/lab -m soak --timeout=7200

vm-test: $(READY)
	PYTHONPATH=tests $(BIN)/python -m vm

bench: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(JSON),--json '$(JSON)')

limits: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m limits $(if $(ONLY),--only '$(ONLY)')

sim: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m simulation $(if $(SEED),--seed '$(SEED)') $(if $(SEEDS),--seeds '$(SEEDS)')

sim-proof: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m simulation.planted.proof $(if $(ONLY),--only '$(ONLY)') \
	  $(if $(SOME),--some '$(SOME)' --mutations 0) $(if $(MUTATIONS),--no-planted --mutations '$(MUTATIONS)') \
	  $(if $(SEEDS),$(if $(MUTATIONS),--mutation-seeds,--seeds) '$(SEEDS)')

sim-cuts: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m simulation.exhaustive $(if $(EVERY),--every '$(EVERY)')

sim-coverage: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m simulation.coverage $(if $(SEEDS),--seeds '$(SEEDS)') $(if $(PAGE),--page)

packages: $(READY)
	@PYTHONPATH=tests $(BIN)/python -m packages

lab-test: $(LAB_READY)
	$(LAB)/bin/pytest tests/lab $(TESTS)

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(READY)
	@PYTHONPATH=tools $(BIN)/python -m manual_site

pictures: $(READY)
	PYTHONPATH=tools $(BIN)/python tests/pictures.py

diagram: $(READY)
	$(BIN)/python tests/job_diagram.py

recordings: $(READY)
	$(BIN)/python tests/renew_recordings.py

schema: $(READY)
	@PYTHONPATH=tools $(BIN)/python -m schema
	@PYTHONPATH=tools $(BIN)/python -m command_words

chips: $(READY)
	@PYTHONPATH=tools $(BIN)/python -m chip_table --embassy '$(SOURCES)/stm32-data-generated' --modm '$(SOURCES)/modm-devices' \
	  --probe-rs '$(SOURCES)/probe-rs' --openocd '$(SOURCES)/openocd' --gd32 '$(SOURCES)/platform-gd32' \
	  --at32 '$(SOURCES)/platform-arterytekat32'

# The build backends are installed first and by themselves, so that they are pinned like all the rest: hatchling builds
# this project, setuptools what has no wheel (docopt, which west brings). With them comes a pip that knows dependency
# groups, which some systems' own does not.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "flashdeck needs Python 3.11 or newer, and $(PYTHON) is not: try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade -c constraints.txt \
	  pip hatchling editables hatch-fancy-pypi-readme setuptools
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation \
	  -e '.[daemon,tui,web,console,metrics]' --group dev
	@touch $@

# labgrid brings a plugin for pytest that each run of it would load, and a pyserial of its own: it stays by itself.
$(LAB_READY): pyproject.toml constraints.txt
	$(LAB)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(LAB)
	$(LAB)/bin/pip install --quiet --disable-pip-version-check --upgrade -c constraints.txt \
	  pip hatchling editables hatch-fancy-pypi-readme setuptools
	$(LAB)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation \
	  -e '.[daemon,console,labgrid]' --group lab
	@touch $@

clean:
	rm -rf .venv .venv-labgrid .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist snapshot_report.html
	rm -rf config/demo/firmware/build
	find shared daemon tui tests tools -name __pycache__ -prune -exec rm -rf {} +
