# Two commands set everything up: `make demo` and `make test`. A second run reuses the environment.
PYTHON ?= python3
VENV   ?= .venv
PIP     = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary av,numba --constraint constraints.txt
export OMP_WAIT_POLICY = PASSIVE

.PHONY: demo test figures export clean

demo: $(VENV)/.run
	$(VENV)/bin/python -m f3a_lite.demo

test: $(VENV)/.dev
	$(VENV)/bin/python -m pytest

figures: $(VENV)/.dev
	$(VENV)/bin/python benchmarks/figures.py

export: $(VENV)/.dev
	$(VENV)/bin/nbdev_export && $(VENV)/bin/nbdev_clean

$(VENV)/.run: settings.ini setup.py constraints.txt
	@echo "Setting up $(VENV): downloads torch and the other libraries, a few minutes on first use"
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) setuptools wheel
	$(PIP) --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Adding the tools for development and tests"
	$(PIP) --no-build-isolation --editable '.[dev,eval,view]'
	touch $@

clean:
	rm -rf out runs build dist *.egg-info
