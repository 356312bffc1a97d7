# Two commands for people: `make audit` (the matrix on this machine) and `make test` (this project's own checks).
# Each sets up everything it needs by itself; `make setup` does only that. ARGS goes to pytest: make audit ARGS="--backend onnxruntime"
# BACKENDS names backends that need an environment of their own, or all of them: make audit BACKENDS=openvino,deepsparse

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
READY := $(VENV)/.ready-$(EXTRA)
INSTALL = -m pip install --quiet --disable-pip-version-check --require-hashes --requirement

comma := ,
# One more process than cores, four at most: some selftests wait for one that hangs on purpose.
# Files in the order of their folders: xdist would begin with those of many tests, which are quick, and end with the long ones.
SIDE_BY_SIDE := -n $(shell n=$$(getconf _NPROCESSORS_ONLN); [ $$n -lt 4 ] && expr $$n + 1 || echo 4) --dist loadfile --no-loadscope-reorder
SHARED := chinese-clip corpus deepspeed index openai-clip preprocessors sentence-transformers tensorrt-rtx torchao transformers
APART := deepsparse infinity openvino
MATRIX := deepsparse openvino  # what BACKENDS=all sets up: a service is not in the matrix
WANTED := $(subst $(comma), ,$(BACKENDS))
UNKNOWN := $(filter-out all fastembed $(APART) $(SHARED),$(WANTED))
ifneq ($(UNKNOWN),)
$(error BACKENDS=$(BACKENDS): no environment is known for '$(firstword $(UNKNOWN))', expected all or some of $(APART))
endif
OWN := $(patsubst %,.venv-%/.ready,$(if $(filter all,$(WANTED)),$(MATRIX)) $(filter $(APART),$(WANTED)))

.PHONY: setup audit test test-long fix golden matrix inputs gate-power gate-power-in-process faults mutants proof canary corpus-proof serving profile peers policies preprocessors processors versions gpu-record gpu-pack drift families storage geometry train train-siglip harden scenes lock clean

setup: $(READY) $(OWN)

audit: $(READY) $(OWN)
	$(RUN) -m pytest $(ARGS)

test: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	OMP_NUM_THREADS=1 $(RUN) -m pytest suites/selftest $(SIDE_BY_SIDE) --benchmark-disable -m "not long" $(ARGS)

test-long: $(READY)  # a quarter of an hour: planted faults, commands as the pages print them, whole campaigns
	OMP_NUM_THREADS=1 $(RUN) -m pytest suites/selftest $(SIDE_BY_SIDE) --benchmark-disable -m long $(ARGS)

$(READY): requirements/$(EXTRA).lock
	@test ! -L $(VENV) || (echo "$(VENV) is a link to $$(readlink $(VENV)): expected a folder of its own, because setting it up empties it" && false)
	@echo "setting up $(VENV) from $< (about 7 GB, mostly torch and its CUDA libraries; 2 to 4 minutes)"
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) $(INSTALL) $<
	@touch $@

.venv-%/.ready: requirements/%.lock
	@echo "setting up .venv-$* from $< ($(if $(filter infinity peers policies,$*),3 minutes and 6 GB,half a minute))"
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python $(INSTALL) $<
	@touch $@

fix: $(READY)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

golden: $(READY)  # pytest ends an update with status 1, because it tested nothing; here that is what was asked for
	$(RUN) -m pytest --update-golden $(ARGS) || [ $$? -eq 1 ]

train: $(READY)  # an hour and a half on 2 cores; `make harden` follows
	$(RUN) -m fixtures.models.scenes_s.train $(ARGS)

train-siglip: $(READY)  # half an hour on 2 cores, from the weights of `make train`
	$(RUN) -m fixtures.models.scenes_siglip.train $(ARGS)

harden: $(READY)  # a minute, from the weights of `make train`; `make golden` must follow
	$(RUN) -m fixtures.models.scenes_s.harden $(ARGS)

scenes: $(READY)
	$(RUN) -m fixtures.datasets.scenes.render $(ARGS)

matrix: $(READY) $(OWN)
	$(RUN) -m pytest --matrix-page=golden/evidence/matrix.md $(ARGS)

inputs: $(READY)
	$(RUN) -m pytest --unsupervised --device cpu --backend torch-eager --precision fp32 --preprocessor original_clip \
		--benchmark-disable --inputs-page=docs/inputs.md $(ARGS)

gate-power: $(READY)  # real commands, for many hours; ARGS=--quick for 10 minutes, ARGS="--hours 3 --only 'against/*'" for some of them
	$(RUN) -m suites.studies.gate_power.commands $(ARGS)

gate-power-in-process: $(READY)  # two functions: two hours; ARGS="--trials 5 --seconds 0.5" for a quick look
	$(RUN) -m suites.studies.gate_power $(ARGS)

faults: $(READY)  # about 10 minutes; ARGS="--only crop" for some of them
	$(RUN) -m suites.studies.faults $(ARGS)

mutants: $(READY)  # 80 minutes for 1000 draws; ARGS="--draws 50" for a quick look, ARGS="--number 7" for one of them
	$(RUN) -m suites.studies.mutants $(ARGS)

proof: $(READY)  # over an hour: clean runs, kills, counted examples, a soak, seeds of fresh inputs
	$(RUN) -m suites.studies.proof $(ARGS)

canary: $(READY)  # about half an hour; ARGS="--draws 50 --fresh 10 --starts 0" for a quick look
	$(RUN) -m suites.studies.canary $(ARGS)

corpus-proof: $(READY)  # needs npm, and a quarter of an hour; ARGS="--scenes 1000" for a quick look
	$(RUN) -m suites.studies.corpus $(ARGS)

serving: $(READY) $(OWN)  # under 10 minutes; ARGS=--quick for one, ARGS="--cells openvino-int8 --only load" for some of it
	$(RUN) -m suites.studies.serving $(ARGS)

profile: $(READY) $(OWN)  # as long as an audit; ARGS="--backend onnxruntime" for some of it
	$(RUN) -m suites.studies.profile $(ARGS)

peers: $(READY) .venv-peers/.ready  # 10 minutes, and an otherwise idle machine; ARGS="--rounds 1" for a quick look
	$(RUN) -m suites.studies.peers $(ARGS)

policies: $(READY) .venv-policies/.ready  # over an hour, and an otherwise idle machine; ARGS=--quick for the default model
	$(RUN) -m suites.studies.policies $(ARGS)

gpu-record: $(if $(PY),,$(READY))  # about 10 minutes; PY=python3 takes that interpreter; ARGS="--device cpu --quick" rehearses it
	$(or $(PY),$(RUN)) -m suites.studies.gpu $(ARGS)

gpu-pack: $(READY)  # what a machine with a GPU and no network needs, in parts of less than 60 MiB
	$(RUN) -m suites.studies.gpu.pack $(ARGS)

versions: $(READY)  # over an hour, and 9 GB of disk for a while; ARGS="--only torch2.11" for some of them
	$(RUN) -m suites.studies.versions_tried $(ARGS)

processors: $(READY) $(OWN)  # about 7 hours, most of them with qemu-user for what has to be emulated; goes on where it was
	$(RUN) -m suites.studies.processors $(ARGS)

preprocessors: $(READY)  # half an hour, and an otherwise idle machine; ARGS=--quick for a few minutes
	$(RUN) -m suites.studies.preprocessors $(ARGS)

drift: $(READY)  # ten minutes to half an hour; ARGS="--model ViT-B-32 --pretrained random:0" for another model
	$(RUN) -m suites.studies.drift $(ARGS)

families: $(READY)  # an hour or two; goes on where it was; ARGS="--only MobileCLIP2-S0" for some
	$(RUN) -m suites.studies.families $(ARGS)

storage: $(READY)  # a quarter of an hour; ARGS=--quick for a look, which writes nothing
	$(RUN) -m suites.studies.storage $(ARGS)

geometry: $(READY)  # a minute; ARGS="--model ViT-B-32 --pretrained random:0" for another model
	$(RUN) -m suites.studies.geometry $(ARGS)

COMPILE = uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --quiet $(ARGS)
# What the peers are compared in has the versions that this project's own environment has.
SAME = grep -oE '^(onnxruntime|open-clip-torch|pytest|pytest-benchmark|torch|torchvision)==[^ ]+' requirements/cpu.lock
SAME_TORCH = grep -oE '^torch==[^ ]+' requirements/cpu.lock
define compile  # 1: the lock's name, 2: the tables of pyproject.toml that it installs, 3: a command that prints more
	@echo "$(1).lock"; cp requirements/$(1).lock requirements/$(1).lock.new
	@($(PYTHON) requirements/of.py $(2)$(if $(3),; $(3))) | $(COMPILE) --output-file requirements/$(1).lock.new > /dev/null
	@sed -i "1i # Made by \`make lock\` from pyproject.toml: every version and hash of $(2), on every platform." requirements/$(1).lock.new
	@mv requirements/$(1).lock.new requirements/$(1).lock
endef

lock:  # needs uv; keeps every version that still fits, ARGS=--upgrade takes the newest
	$(call compile,cpu,dependencies dev report-html cpu fastembed $(SHARED))
	$(call compile,gpu,dependencies dev report-html gpu fastembed-gpu $(SHARED))
	$(call compile,openvino,openvino)
	$(call compile,deepsparse,deepsparse)
	$(call compile,infinity,infinity)
	$(call compile,peers,peers,$(SAME))
	$(call compile,policies,policies,$(SAME_TORCH))

clean:
	rm -rf $(VENV) $(VENV)-* .cache .pytest_cache .mypy_cache .ruff_cache .benchmarks report.json
