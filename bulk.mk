# Whole archives: `visage score` and `visage audit`.
BULK := $(VENV)/.bulk

.PHONY: bulk bulk-install

$(BULK): requirements/bulk.txt $(SERVICE)
	$(call install,$(VENV),bulk,service bulk)
	@touch $@

bulk-install: $(BULK) ## Add what `python -m bulk` needs to the environment of `make run`

bulk: $(DEV) ## Measure a run over an archive, kill and resume it, read an hour of video (DATA has the pictures)
	DATA=$(DATA) $(BIN)/python -m drills.bulk
