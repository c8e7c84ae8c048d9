# Whole archives: `visage score` and `visage audit`.
BULK := $(VENV)/.bulk

RAY := $(VENV)/.ray
# Packages of object stores need an older dateutil than the rest.
STORES := .venv-stores

.PHONY: bulk bulk-install ray-install ray-test store-test

$(BULK): requirements/bulk.txt $(SERVICE)
	$(call install,$(VENV),bulk,service bulk)
	@touch $@

bulk-install: $(BULK) ## Add what `python -m bulk` needs to the environment of `make run`

$(RAY): requirements/ray.txt $(BULK)
	$(call install,$(VENV),ray,service bulk ray)
	@touch $@

ray-install: $(RAY) ## Add Ray too, for `--engine ray`

ray-test: $(DEV) $(RAY) ## Run an archive through Ray, and kill an actor
	$(BIN)/python -m pytest tests/unit/bulk/test_ray.py

$(STORES)/.ready: requirements/store-test.txt | $(STORES)/bin/python
	$(call install,$(STORES),store-test,store-test)
	@touch $@

store-test: $(STORES)/.ready ## Score from an object store into one, a server of S3 on this machine
	$(STORES)/bin/python -m pytest tests/unit/bulk/test_stores.py

bulk: $(DEV) ## Measure a run over an archive, kill and resume it, read an hour of video (DATA has the pictures)
	DATA=$(DATA) $(BIN)/python -m drills.bulk $(if $(LONG),--long)
