# Whole archives: `visage score` and `visage audit`.
BULK := $(VENV)/.bulk

RAY := $(VENV)/.ray

.PHONY: bulk bulk-install ray-install ray-test

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

bulk: $(DEV) ## Measure a run over an archive, kill and resume it, read an hour of video (DATA has the pictures)
	DATA=$(DATA) $(BIN)/python -m drills.bulk $(if $(LONG),--long)
