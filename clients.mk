# Clients and examples: their suites need Node 20 or newer.
CLIENTS := clients/typescript clients/browser
EXAMPLES := examples/nextjs

.PHONY: clients-test edge

edge: $(SERVICE) clients/browser/node_modules/.package-lock.json ## Build the engine for the device into app/web/edge, where the page offers it
	cd clients/browser && npm run --silent build
	$(BIN)/python scripts/build_edge.py

ifneq ($(shell command -v npm),)
clients-test: $(DEV) $(patsubst %,%/node_modules/.package-lock.json,$(CLIENTS) $(EXAMPLES)) ## Run the tests of the clients and examples
	cd clients/typescript && npm run --silent check && npm test --silent
	cd clients/browser && npm run --silent check && VISAGE_PYTHON="$(CURDIR)/$(BIN)/python" npm test --silent
	cd examples/nextjs && npm run --silent build && npm run --silent check && npm test --silent
else
clients-test:
	@echo "The tests of the clients and examples were skipped: npm is not installed."
endif
