# What an operator of the repository needs: the image, the manifests, the pinned requirements, the replicas.
UV ?= $(BIN)/uv
OPS := $(VENV)/.ops
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-annotate \
  --no-header
LOCK_REVIEWS = $(COMPILE) --directory examples/reviews $(if $(UPGRADE),--upgrade)

.PHONY: pin-images lock platforms audit manifests smoke-image replicas cold-start dashboard install-check first-hour

$(OPS): requirements/manifests.txt $(DEV)
	$(call install,$(VENV),manifests,dev manifests)
	@touch $@

lock: $(if $(filter $(BIN)/uv,$(UV)),$(OPS)) ## Pin the requirements again from pyproject.toml (UPGRADE=1 takes newer versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --output-file requirements/service.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/service.txt --extra gpu --no-emit-package onnxruntime --output-file requirements/gpu.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/service.txt --extra otel --output-file requirements/otel.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/service.txt --extra bulk --group test --group lint --output-file requirements/dev.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/dev.txt --extra bulk --output-file requirements/bulk.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/dev.txt --extra ray --output-file requirements/ray.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/service.txt --extra stores --output-file requirements/stores.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --constraint requirements/stores.txt --extra stores --group store-test --output-file requirements/store-test.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --group fuzz --output-file requirements/fuzz.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --group manifests --output-file requirements/manifests.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --group train --no-emit-package torch --output-file requirements/train.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraint requirements/dev.txt --constraint requirements/train.txt --group explain --no-emit-package torch --output-file requirements/explain.txt
	$(LOCK_REVIEWS) pyproject.toml --constraint ../../requirements/dev.txt --output-file requirements/run.txt
	$(LOCK_REVIEWS) pyproject.toml --constraint requirements/run.txt --constraint ../../requirements/dev.txt --group test --output-file requirements/test.txt
	$(LOCK_REVIEWS) --constraint ../../requirements/dev.txt --constraint requirements/run.txt --group export --output-file requirements/export.txt
	$(if $(UPGRADE),cp requirements/dev.txt requirements/bench.txt)
	$(COMPILE) pyproject.toml benchmarks/requirements.in --output-file requirements/bench.txt

install-check: ## Install everything that is pinned with the oldest and the newest pip of every supported Python at hand
	scripts/check_installs.sh

first-hour: $(DEV) $(if $(shell command -v npm),$(NODE)) ## Do what somebody does first, in a fresh clone: install, run, own picture, clients, rate
	FIRST_HOUR=install $(BIN)/python -m pytest tests/e2e/test_first_hour.py

platforms: $(OPS) ## Check that every pinned requirement of an image installs from wheels on both architectures and all Pythons
	@for python in 3.11 3.12 3.13; do for wanted in service:x86_64 service:aarch64 otel:x86_64 otel:aarch64 gpu:x86_64 stores:x86_64 stores:aarch64; do \
	  file=$${wanted%:*}; platform=$${wanted#*:}; \
	  $(UV) pip install --quiet --dry-run --no-deps --require-hashes --only-binary :all: --target $(VENV)/.nowhere \
	    --python-version $$python --python-platform $$platform-manylinux_2_28 --requirement requirements/$$file.txt \
	    && echo "$$file on $$platform, Python $$python: every package has a wheel" || exit 1; \
	done; done

audit: $(DEV) ## Look every pinned requirement up among the known vulnerabilities
	@scripts/audit.sh $(BIN)

manifests: $(OPS) ## Check the Kubernetes manifests against the published schemas, the alerts and the workflows
	@rendered=$$(mktemp --suffix .yaml); trap 'rm -f "$$rendered"' EXIT; set -e; \
	for overlay in cpu gpu; do \
	  kubectl kustomize deploy/kubernetes/overlays/$$overlay >"$$rendered"; \
	  for version in 1.31 1.37; do \
	    $(BIN)/kubernetes-validate --quiet --strict -k $$version "$$rendered" deploy/kubernetes/components/ingress/ingress.yaml; \
	    echo "overlay $$overlay is valid for Kubernetes $$version"; \
	  done; \
	done
	for version in 1.31 1.37; do $(BIN)/kubernetes-validate --quiet --strict -k $$version deploy/kubernetes/score-job.yaml; done
	promtool check config --syntax-only deploy/prometheus/prometheus.yml
	promtool check rules deploy/prometheus/alerts.yml
	promtool test rules deploy/prometheus/alerts_test.yml
	$(BIN)/zizmor --offline --no-progress --pedantic .github

pin-images: ## Write the digests of the base image and of the other containers' images (needs a registry)
	scripts/pin_images.sh

smoke-image: ## Build the image, run it read-only as its user, send the samples, print what it takes (FLAVOUR=otel, cuda, bulk)
	scripts/smoke_image.sh

replicas: $(DEV) ## Three replicas behind nginx with one Redis: what they add, share and survive (QUICK=1: a minute)
	$(BIN)/python -m benchmarks.replicas $(if $(QUICK),--quick)

cold-start: $(DEV) ## From process start to ready, seven times, and the first request against warm ones
	$(BIN)/python -m benchmarks.cold_start

dashboard: $(DEV) ## Ask a real Prometheus every query of the dashboard while it scrapes a service under load
	$(BIN)/python -m scripts.check_dashboard
