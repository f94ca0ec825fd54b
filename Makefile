# Two commands set everything up: `make demo` and `make test`. A second run reuses the environment.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary av,numba --constraint constraints.txt
export OMP_WAIT_POLICY = PASSIVE

.PHONY: demo lab slides test quick mutants browser site dev figures weights export clean

demo: $(VENV)/.run
	$(BIN)/python -m f3a_lite.ui.demo

# The course, opened at its first walk.
lab: $(VENV)/.dev
	$(BIN)/jupyter lab nbs/00_tour.ipynb

# For a teacher: slides of 90 minutes and one page with letters and equations, into out/.
slides: $(VENV)/.dev
	$(BIN)/python tools/handouts.py

# One process a core; each test runs on one thread.
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal

# Without notebooks, and without tests that start processes of their own.
quick: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not processes and not slow and not gpu and not browser"

# One-line faults in the equations, the warp, the splits, resuming and the tables: a test must notice each (an hour).
mutants: $(VENV)/.dev
	$(BIN)/python tests/mutants.py

# The widgets and the app in a headless Chromium, which must be installed.
browser: $(VENV)/.dev
	$(BIN)/python -m pytest -m browser

# The course as a site that needs no network, into out/site. MathJax, which draws its formulas, comes from npm.
site: $(VENV)/.dev
	$(BIN)/python tools/site

dev: $(VENV)/.dev

# Both generators again, each by one command and one schedule: about an hour each on two quiet cores. It can be interrupted.
weights: $(VENV)/.dev
	$(BIN)/f3a_train --recipe f3a_gan --out runs/f3a_gan --sheet-every 100
	$(BIN)/python tools/bundle.py runs/f3a_gan f3a_gan
	$(BIN)/f3a_train --recipe t_warp --out runs/t_warp --sheet-every 500
	$(BIN)/python tools/bundle.py runs/t_warp t_warp

figures: $(VENV)/.dev
	$(BIN)/python tools/figures.py

export: $(VENV)/.dev
	$(BIN)/nbdev_export && $(BIN)/nbdev_clean

$(VENV)/.run: settings.ini setup.py constraints.txt
	@echo "Setting up $(VENV): downloads torch and the other libraries, a few minutes on first use"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) setuptools wheel
	$(PIP) --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Adding the tools for development and tests"
	$(PIP) --no-build-isolation --editable '.[dev,eval,view,app,parallel,curves,course,site]'
	-git config merge.nbdev-merge.driver "$(abspath $(BIN))/nbdev_merge %O %A %B %P" # .gitattributes asks for it
	touch $@

clean:
	rm -rf out runs build dist *.egg-info
