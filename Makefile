# Everything a developer needs; each target sets up what it needs by itself.
#   make run     three simulated machines on the coach's page, the first also in the terminal,
#                PORT=8081 on another port; LINK=ble or LINK=tcp or ARGS=ADDRESS: one set, by that way,
#                in the terminal alone
#   make test    each rule once, in a few minutes, the firmware on the real MicroPython VM included
#   make test-all  every test: many seeds and long ones too (20 minutes)
#   make test-chaos  every run of the equivalence suite on every kind of link, and a gym of sensors (half an hour)
#   make test-bluez  the Bluetooth link against the real BlueZ and kernel, in a QEMU guest (as root)
#   make check   format, lint, types (host, and firmware with the MicroPython stubs)
#   make bench   the numbers: wire, latency, throughput, memory (never part of the tests)
#   make bench-NAME  one of them (tests/bench/bench_NAME.py), ARGS='...' its arguments
#   make bench-accuracy   detection against truth, by family of sets (takes a while)
#   make screenshots   the pictures of the coach's page in docs/pictures, of simulated machines
#   make pictures    the live view's pictures in the README, after a change of the view
#   make vectors     tests/vectors, after a change of docs/protocol.md
#   make docs    check that the documentation's commands, links and figures hold
#   make clean   remove what the other targets made

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ESP32_STUBS := $(VENV)/stubs/esp32
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
LINK ?=
PORT ?= 8080
ARGS ?= $(if $(LINK),sim:?link=$(LINK))
DEMO_STORE := out/demo.db
DEMO := --station 'Steady=sim:?lifter=steady&seed=7&sets=1000' \
  --station 'Fails early=sim:?lifter=early&seed=8&sets=1000' \
  --station 'Sloppy=sim:?lifter=sloppy&seed=9&sets=1000'
ACCURACY ?=
BENCHES := cli wire motion firmware memory journal serial ble station_memory page clock web many mqtt gym
# A program of tests/ that pytest does not run finds here what pytest.ini's pythonpath names.
HELPERS := tests/shared:tests/fakes/frames:tests/fakes/link:tests/fakes/board:tests/fakes/gym:tests/servers:tests/bench:tests/docs:tests/browser:tests/chaos:tests/firmware
TOOL := PYTHONPATH=$(HELPERS)$(PYTHONPATH:%=:%) $(BIN)/python
BLUEZ ?=

.PHONY: run test test-all test-chaos test-bluez check types format bench bench-accuracy docs pictures vectors screenshots clean setup

# python3.11 where there is one, else any python3: the project supports 3.11 and later.
PY := $(shell command -v $(PYTHON) 2>/dev/null || command -v python3)

$(STAMP): host/pyproject.toml constraints.txt
	$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "legcurl needs Python 3.11 or later: make PYTHON=/path/to/python3.11 ...")'
	$(PY) -m venv $(VENV)
	$(PIP) install 'pip>=25.1'
	$(PIP) install -c constraints.txt -e './host[ble,sim,install,serve,postgres,mqtt,parquet]' --group host/pyproject.toml:dev --group host/pyproject.toml:bench
	$(PIP) install -c constraints.txt --no-deps --upgrade --target $(ESP32_STUBS) --group host/pyproject.toml:esp32-stubs
	touch $@

setup: $(STAMP)

# Ctrl-C is how a live view ends: no error to report.
run: $(STAMP)
ifeq ($(strip $(ARGS)),)
	@mkdir -p $(dir $(DEMO_STORE))
	@$(BIN)/legcurl serve --port $(PORT) --store sqlite:///$(DEMO_STORE) $(DEMO) || test $$? -eq 130
else
	$(BIN)/legcurl watch '$(ARGS)' || test $$? -eq 130
endif

test: SELECTION := -m 'not long'
test: test-all

# The browser apart: Playwright keeps an event loop running in its process, where no other may.
test-all: $(STAMP)
	tests/debian-packages chromium=chromium mosquitto=mosquitto postgres=postgresql \
	  systemd-analyze=systemd
	$(BIN)/python -m pytest -n 4 $(SELECTION) --ignore=tests/browser
	$(BIN)/python -m pytest -n 4 $(SELECTION) tests/browser

test-chaos: $(STAMP)
	tests/debian-packages mosquitto=mosquitto
	LEGCURL_CHAOS=all $(BIN)/python -m pytest -n 2 tests/chaos $(wildcard tests/host/recording/test_journal*.py) tests/host/recording/test_power_cut.py

test-bluez: $(STAMP)
	tests/debian-packages qemu-system-x86_64=qemu-system-x86 mmdebstrap=mmdebstrap mke2fs=e2fsprogs
	$(BIN)/python tests/bluez/run.py $(BLUEZ)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory types

types: $(STAMP)
	$(BIN)/pyright -p host/pyrightconfig.json
	for port in rp2 esp32; do \
	  $(BIN)/pyright -p firmware/pyrightconfig.$$port.json \
	    -t "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" || exit 1; done

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	tests/debian-packages mosquitto=mosquitto
	for name in $(BENCHES); do $(TOOL) tests/bench/bench_$$name.py || exit 1; done

bench-%: $(STAMP)
	$(TOOL) tests/bench/bench_$*.py $(ARGS)

bench-accuracy: $(STAMP)
	$(TOOL) tests/bench/bench_accuracy.py $(ACCURACY)

screenshots: $(STAMP)
	$(BIN)/python tests/browser/screenshots.py

pictures: $(STAMP)
	$(TOOL) tests/docs/pictures.py

vectors: $(STAMP)
	$(TOOL) tests/vectors/make_frames.py
	$(TOOL) tests/vectors/make_trust.py

docs: $(STAMP)
	$(BIN)/python -m pytest tests/docs

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build out host/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
