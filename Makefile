# The book and its checks. `make` says what there is to make.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help book serve test style unit notebooks pages lab pair refresh bench clean

help:
	@echo "make book      build the book"
	@echo "make serve     build it and show it on http://127.0.0.1:$(PORT)"
	@echo "make test      run every check"
	@echo "make lab       open the notebooks in JupyterLab"
	@echo "make pair      write a text twin of each notebook, to edit (CONTRIBUTING.md)"
	@echo "make refresh   run the notebooks and store their text outputs"
	@echo "make bench     time critlib beside what it replaces"
	@echo "make clean     remove everything that was made, .venv too"
	@echo
	@echo "Each makes $(VENV) first. PYTHON=python3.12 chooses the Python for it."

# The stamp is written last: an interrupted installation does not count and is started afresh.
$(VENV)/stamp: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, 3.12 or 3.13, or say PYTHON=/path/to/python."; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] <= (3, 13))' || \
		{ echo "$$($(PYTHON) --version) is not supported: say PYTHON=python3.11, python3.12 or python3.13."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python cannot make virtual environments: on Debian or Ubuntu, apt-get install python3-venv."; exit 1; }
	@test -e $@ || { echo "Making $(VENV) (one or two minutes, 900 MB)"; $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

book: $(VENV)/stamp
	@$(BIN)/python tools/build.py

serve: book
	@echo "http://127.0.0.1:$(PORT) (stop with Ctrl-C)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

test: style unit notebooks pages
	@echo "All checks passed."

style: $(VENV)/stamp
	$(BIN)/ruff check .

unit: $(VENV)/stamp
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not book" -n 2 --dist loadscope \
		--cov --cov-report=term

# Two notebooks at a time, each on one core; progress bars would end up in the outputs.
notebooks: $(VENV)/stamp
	TQDM_DISABLE=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadscope \
		--nbval --nbval-sanitize-with tests/nbval.cfg book/*.ipynb

pages: book
	$(BIN)/python -m pytest -m book -n 2 tests

lab: $(VENV)/stamp
	@test -e $(BIN)/jupyter-lab || $(BIN)/python -m pip install --quiet jupyterlab
	$(BIN)/jupyter-lab --notebook-dir=book

pair refresh bench: $(VENV)/stamp

pair:
	@$(BIN)/python tools/refresh.py --pair

refresh:
	@$(BIN)/python tools/refresh.py

bench:
	@$(BIN)/python -m benchmarks

clean:
	rm -rf _build $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage *.egg-info
