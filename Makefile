# Each target makes its own environment in .venv first.
PYTHON ?= python3
BIN := .venv/bin
DEMO := out/demo
TEST_EXTRAS ?= test
INPUTS ?= 10000
KILLS ?= 200
SEED ?= 0

.PHONY: help formulas mutate kit clients docs notebooks demo test release fuzz kills bench bench-gpu figures lint clean
.DEFAULT_GOAL := demo

# The stamp carries the extras, so that asking for more installs more.
.venv/.installed-%: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

help: ## what there is to make
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 12

demo: .venv/.installed-data ## train, evaluate and draw on the bundled digits: about 5 minutes
	rm -rf $(DEMO)
	$(BIN)/python -m dvae_ref train --num-train-iter 6000 --eval-every 2000 --run-dir $(DEMO)
	$(BIN)/python -m dvae_ref evaluate --run-dir $(DEMO)
	$(BIN)/python -m dvae_ref sample --run-dir $(DEMO)
	@echo "pictures and numbers are in $(DEMO)/"

# With TEST_EXTRAS=test,cuda,sass (500 MB more) the CUDA kernels are tested, too; no GPU is needed.
test: .venv/.installed-$(TEST_EXTRAS) ## the test suite, without CUDA unless TEST_EXTRAS says so: about 10 minutes
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

release: .venv/.installed-$(TEST_EXTRAS),docs ## the test suite, and what takes longer, the README in fresh environments among it: before a release
	$(BIN)/python -m pytest -m "release or not release"

fuzz: .venv/.installed-$(TEST_EXTRAS) ## hostile whole commands: 0 tracebacks, 0 signals; a quarter of an hour on four cores
	$(BIN)/python tests/fuzz --inputs $(INPUTS) --seed $(SEED)

kills: .venv/.installed-$(TEST_EXTRAS) ## commands that are killed 200 times, given again: the same bytes; a quarter of an hour
	$(BIN)/python tests/fuzz/kills.py --kills $(KILLS) --seed $(SEED)

# The peers are compared with if they are there: .venv/bin/pip install '.[peers]' (a gigabyte).
bench: .venv/.installed-data ## how fast the samplers are; figures in out/bench/
	$(BIN)/python -m benchmarks

bench-gpu: .venv/.installed-cuda ## what only an NVIDIA GPU can say about the kernels for it; one JSON in out/bench/
	$(BIN)/python -m benchmarks gpu

figures: .venv/.installed-data ## the paper's figures, with their numbers, in out/figures/: about 20 minutes
	$(BIN)/python -m figures all

kit: .venv/.installed-data ## the conformance kit as one file, out/kit.json.gz, for implementations in any language
	$(BIN)/python -m dvae_ref conformance export out/kit.json --format json
	gzip -9 -n -f out/kit.json

docs: .venv/.installed-test,docs ## the site, out/docs/index.html, which needs no network: warnings are errors, links are checked
	$(BIN)/python -m handbook site

notebooks: .venv/.installed-test ## the derivations as notebooks, for students and for instructors, in out/notebooks/
	$(BIN)/python -m handbook notebooks

mutate: .venv/.installed-$(TEST_EXTRAS) ## 15 mutants a module, each to be killed by its tests: some hours of a core (tests/mutation --help)
	$(BIN)/python tests/mutation --seed $(SEED)

formulas: .venv/.installed-test ## what has changed in the formulas of the derivations, and their golden copies renewed
	$(BIN)/python tests/formulas/pages.py --renew

clients: ## real packages against the kit, in an environment of their own (2 GB): docs/crosschecks.md
	test -x out/clients/bin/python || $(PYTHON) -m venv out/clients
	out/clients/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[clients]'
	out/clients/bin/python docs/examples/clients/page_of_clients.py docs/crosschecks.md

lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv out build *.egg-info
