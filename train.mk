# Training, apart from the service: its environment has everything that the tests have, and PyTorch.
DATA ?= data
MODEL ?= default
DEVICE ?= cpu
STARTS := runs/starts
RUNS ?= first second deeper deepest sibling light taught default accurate
TAUGHT ?= long longer
TRAIN_VENV := .venv-train
TRAINING := $(TRAIN_VENV)/.training
EXPLAINING := $(TRAIN_VENV)/.explaining
TRAIN := DATA=$(DATA) $(TRAIN_VENV)/bin/python -m training
SMOKE := runs/smoke

.PHONY: prepare train teacher ship evaluate report explanations train-test train-types train-smoke

# PyTorch itself is pinned by version, not by hash: which build fits a machine, and whether it brings gigabytes of
# CUDA libraries, is for the package index at hand to say. Everything else that it needs is in requirements/train.txt.
$(TRAIN_VENV)/.pinned: requirements/dev.txt requirements/train.txt | $(TRAIN_VENV)/bin/python
	$(call install,$(TRAIN_VENV),dev,dev)
	$(call install,$(TRAIN_VENV),train,dev train)
	@touch $@

$(TRAINING): requirements/torch.txt $(TRAIN_VENV)/.pinned
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	$(TRAIN_VENV)/bin/python -c "import torch"
	$(TRAIN_VENV)/bin/python scripts/check_environment.py requirements/dev.txt requirements/train.txt
	@touch $@

# They need PyTorch, which no list has, so the lists are not compared with what is installed.
$(EXPLAINING): requirements/explain.txt $(TRAINING)
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	$(TRAIN_VENV)/bin/python -c "import captum, shap"
	@touch $@

prepare: $(TRAINING) ## Clean the data in $DATA and write what it is like
	$(TRAIN) prepare --report docs/training

# Trains the runs of a list that are not finished, on $DEVICE.
trained = for run in $(1); do \
	test -f runs/$$run/weights.pt || $(TRAIN) train --config training/configs/$$run.toml device=$(DEVICE) || exit 1; \
	done

train: $(TRAINING) ## Train $RUNS, the teachers and $TAUGHT, all that are not finished; goes on where it was stopped
	$(call trained,$(RUNS))
	$(MAKE) teacher
	$(call trained,$(TAUGHT))

teacher: $(TRAINING) ## Train the networks that start from other weights, on DEVICE=cpu or cuda, and join the teachers
	test -f $(STARTS)/dlib_resnet.pt || $(TRAIN) dlib_resnet $(STARTS)/dlib_face_recognition_resnet_model_v1.dat
	$(call trained,dlib_resnet dlib_resnet_level efficientnet_lite0)
	test -f runs/joined/soft_labels.npz || $(TRAIN) join --device $(DEVICE) --to runs/joined $(addprefix runs/,accurate default dlib_resnet_level efficientnet_lite0)

ship: $(TRAINING) ## Turn the trained network $MODEL into models/$MODEL
	$(TRAIN) export --run runs/$(MODEL) --model runs/float/$(MODEL)
	$(TRAIN) quantize --model runs/float/$(MODEL) --to models/$(MODEL)
	$(TRAIN) calibrate --model models/$(MODEL)
	$(TRAIN) golden --model models/$(MODEL)

evaluate: $(TRAINING) ## Print every figure of models/$MODEL
	$(TRAIN) evaluate --model models/$(MODEL)

report: $(TRAINING) ## Write the report and the cards from the figures that are kept
	$(TRAIN) report

explanations: $(EXPLAINING) ## Compare heatmaps by every method on 200 faces, and write docs/explanations.md; goes on where it was stopped
	DATA=$(DATA) OMP_NUM_THREADS=1 $(TRAIN_VENV)/bin/python -m benchmarks.explanations

train-test: $(EXPLAINING) ## Run the tests of training, PyTorch's among them
	DATA=$(DATA) $(TRAIN_VENV)/bin/python -m pytest tests/unit/training

train-types: $(EXPLAINING) ## Check the types of training, which need PyTorch's
	$(TRAIN_VENV)/bin/mypy --cache-dir .mypy_cache/training --package training

train-smoke: $(TRAINING) ## Run the whole chain on 500 faces, to see that it runs
	rm -rf $(SMOKE)
	$(TRAIN) prepare --to $(SMOKE)/prepared --report $(SMOKE)/report --limit 500
	$(TRAIN) train --config training/configs/smoke.toml --prepared $(SMOKE)/prepared --runs $(SMOKE)/runs
	$(TRAIN) export --run $(SMOKE)/runs/smoke --model $(SMOKE)/float/smoke --prepared $(SMOKE)/prepared --limit 500
	$(TRAIN) quantize --model $(SMOKE)/float/smoke --to $(SMOKE)/models/smoke --prepared $(SMOKE)/prepared --limit 500
	$(TRAIN) calibrate --model $(SMOKE)/models/smoke --limit 500
	$(TRAIN) evaluate --model $(SMOKE)/models/smoke --split valid --limit 500 --to $(SMOKE)/figures/smoke.valid.json --write
	$(TRAIN) report --models $(SMOKE)/models --figures $(SMOKE)/figures --runs $(SMOKE)/runs --to $(SMOKE)/report --split valid
