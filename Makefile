# Everything a developer types. Each target works alone as the first command in a fresh clone.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3,$(if $(shell command -v $(name) 2>/dev/null),$(name))))
CLANG ?= clang++
FUZZ_SECONDS ?= 600
HISTORY ?= .bench/history.jsonl
INSTALLED := $(VENV)/.installed
# Most modules are never imported; Python compiles those that are, and keeps what it compiled, whatever the environment
# says: without it each process takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE
# What builds the native part is installed with the rest, so that it stays where it was and what has been built stays good.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
NATIVE := $(shell git ls-files 'kernels/*.cpp' 'kernels/*.h' 'kernels/*.inc' 'kernels/*.cu' 'kernels/*.cmake' 'kernels/CMakeLists.txt' 'proto/*' CMakeLists.txt)
SCHEMA := $(BIN)/python -c 'from tundish.manifest import json_schema; print(json_schema(), end="")'
CPP := $(shell git ls-files '*.cpp' '*.h' '*.cu')
CHECKS := check-types check-python check-imports check-sources check-schema  # the longest first, for --jobs

.DEFAULT_GOAL := help
.PHONY: help install demo test check $(CHECKS) format bench bench-peers gpu fuzz clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

install: $(INSTALLED)  ## make the environment in .venv, with everything that the other targets need

demo: $(INSTALLED)  ## fine-tune, export, serve and ask two real models
	$(BIN)/tundish demo

test: $(INSTALLED)  ## run the tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: $(CHECKS)  ## run the linters and type checkers, as pre-commit and CI do

check-types: $(INSTALLED)
	$(BIN)/mypy

check-python: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

check-imports: $(INSTALLED)
	$(BIN)/lint-imports

check-sources: $(INSTALLED)
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(BIN)/buf lint proto
	$(BIN)/codespell $$(git ls-files)

check-schema: $(INSTALLED)
	$(SCHEMA) | diff docs/bundle.schema.json - \
		|| { echo "docs/bundle.schema.json is stale; run 'make format'."; exit 1; }

format: $(INSTALLED)  ## format the sources and regenerate docs/bundle.schema.json
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(CPP)
	$(SCHEMA) > docs/bundle.schema.json

bench: $(INSTALLED)  ## time the kernels, and the server on images, texts and tensors beside Triton and its own engine
	$(BIN)/python -m tundish_bench.kernels --history $(HISTORY)
	$(BIN)/python -m tundish_bench.image_server --history $(HISTORY)
	$(BIN)/python -m tundish_bench.text_server --history $(HISTORY)
	$(BIN)/python -m tundish_bench.tensor_server --history $(HISTORY)
	$(BIN)/python -m tundish_bench.overload --history $(HISTORY)
	$(BIN)/python -m tundish_bench.history $(HISTORY) --html $(basename $(HISTORY)).html
	@echo "All runs are in $(HISTORY), and drawn in $(basename $(HISTORY)).html."

bench-peers: $(INSTALLED)  ## compare with tritonserver, mosec, LitServe and MLServer for 20 minutes, and write docs/benchmarks.md
	$(BIN)/python -m tundish_bench.peers --report docs/benchmarks.md --report docs/benchmarks/peers.json

gpu: $(INSTALLED)  ## run the tests on an NVIDIA GPU, also under compute-sanitizer if it is there, and time the kernels
	@$(BIN)/python -c 'import sys; from tundish_kernels import cuda; sys.exit(cuda.reason())'
	$(BIN)/pytest -m gpu
	$(BIN)/python -m tundish_bench.cuda --history $(HISTORY)

fuzz: $(INSTALLED)  ## fuzz what reads outside bytes, for FUZZ_SECONDS each; takes Clang
	@command -v $(CLANG) >/dev/null || { echo "libFuzzer needs Clang: apt-get install clang, or set CLANG=clang++-14."; exit 1; }
	$(PIP) --no-build-isolation --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/fuzz_images.py build/fuzz/images -max_total_time=$(FUZZ_SECONDS) -max_len=20000
	$(BIN)/python tests/fuzz/fuzz_tokenizer_json.py build/fuzz/tokenizers -max_total_time=$(FUZZ_SECONDS) -max_len=3000
	cmake -S kernels -B build/fuzz -DTUNDISH_PYTHON=OFF -DTUNDISH_FUZZ=ON -DCMAKE_CXX_COMPILER=$(CLANG)
	cmake --build build/fuzz --parallel --target fuzz_run_length_encode fuzz_wordpiece
	mkdir -p build/fuzz/run_lengths build/fuzz/texts
	build/fuzz/fuzz_run_length_encode build/fuzz/run_lengths -max_total_time=$(FUZZ_SECONDS) -max_len=200
	build/fuzz/fuzz_wordpiece build/fuzz/texts -max_total_time=$(FUZZ_SECONDS) -max_len=600

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(INSTALLED): pyproject.toml constraints.txt $(NATIVE)
	@test -n "$(PYTHON)" || { echo "tundish needs Python 3.11 or newer: apt-get install python3 python3-venv python3-dev"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "tundish needs Python 3.11 or newer, $(PYTHON) is older; set PYTHON=python3.11."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
		|| { echo "$(PYTHON) has no headers, which the native kernels are built with: apt-get install python3-dev"; exit 1; }
	@echo '#include <optional>' | $${CXX:-c++} -std=c++17 -fsyntax-only -x c++ - 2>/dev/null \
		|| { echo "tundish needs a C++17 compiler for its native kernels: apt-get install g++"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' \
		| xargs $(PIP)
	$(BIN)/python -c 'from scikit_build_core.build import get_requires_for_build_editable as tools; print(*tools())' \
		| xargs --no-run-if-empty $(PIP)  # CMake and Ninja, unless the system has them
	$(PIP) --no-build-isolation --editable '.[export,bench,dev]'
	@touch $@
