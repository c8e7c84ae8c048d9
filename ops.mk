# What an operator of the repository needs: the image, the manifests, the pinned requirements, the replicas.
UV ?= $(BIN)/uv
OPS := $(VENV)/.ops
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

.PHONY: lock audit manifests smoke-image replicas

lock: ## Pin the requirements again from pyproject.toml (UPGRADE=1 takes newer versions)
	command -v $(UV) >/dev/null || $(BIN)/python -m pip install --quiet uv
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --output-file requirements/service.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/service.txt --extra gpu --no-emit-package onnxruntime --output-file requirements/gpu.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/service.txt --extra otel --output-file requirements/otel.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/service.txt --group test --group lint --output-file requirements/dev.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --group fuzz --output-file requirements/fuzz.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --group manifests --output-file requirements/manifests.txt

platforms: ## Check that every pinned requirement installs from wheels on both architectures and all Pythons
	@for python in 3.11 3.12 3.13; do for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28; do \
	  $(UV) pip install --quiet --dry-run --require-hashes --only-binary :all: --target $(VENV)/.nowhere \
	    --python-version $$python --python-platform $$platform --requirement requirements/service.txt \
	    && echo "$$platform, Python $$python: every package has a wheel" || exit 1; \
	done; done
