# Each target is one line over pip or tox; PYTHON=python3.13 picks another interpreter.
PYTHON ?= python3

.PHONY: build build-debug test bench clean install-dev

build: clean  ## compile in place, and install the working tree
	$(PYTHON) -m pip install -e .

build-debug: clean  ## the same for a debugger: -O0 -g, line tracing, bounds checks
	FASTWEB_BUILD_DEBUG=1 $(PYTHON) -m pip install -e .

test:  ## the suite compiled and pure, lint, types
	$(PYTHON) -m tox

bench:  ## the benchmarks, compiled
	$(PYTHON) -m tox -e bench

clean:  ## a stale .so beats an edited .py: remove what the build made, everywhere
	find fastweb \( -name '*.so' -o -name '*.pyd' -o -name '*.c' \) -delete; rm -rf build dist *.egg-info

install-dev: clean  ## build, and all that tests, lint and types need
	$(PYTHON) -m pip install -e '.[all,test,dev]'
