# Two commands for people: `make audit` (the matrix on this machine) and `make test` (this project's own checks).
# Each sets up everything it needs by itself. ARGS goes to pytest: make audit ARGS="--backend onnxruntime"

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
READY := $(VENV)/.ready-$(EXTRA)

.PHONY: audit test fix golden train scenes lock clean

audit: $(READY)
	$(RUN) -m pytest $(ARGS)

test: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest suites/selftest $(ARGS)

$(READY): requirements/$(EXTRA).lock
	@echo "setting up $(VENV) from $< (about 6 GB, mostly torch and its CUDA libraries; 1 to 3 minutes)"
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

fix: $(READY)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

golden: $(READY)
	$(RUN) -m pytest --update-golden $(ARGS)

train: $(READY)
	$(RUN) -m fixtures.models.scenes_s.train $(ARGS)

scenes: $(READY)
	$(RUN) -m fixtures.datasets.scenes.render $(ARGS)

lock:  # needs uv
	for extra in cpu gpu; do \
	  (echo "# Made by \`make lock\` from pyproject.toml, extra \`$$extra\`: every version and hash that this extra installs, on every platform."; \
	  uv pip compile pyproject.toml --extra $$extra --group dev --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-emit-index-url --no-annotate --quiet) > requirements/$$extra.lock.new && mv requirements/$$extra.lock.new requirements/$$extra.lock || exit 1; \
	done

clean:
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .benchmarks report.json
