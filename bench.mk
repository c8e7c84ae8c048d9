# What is measured, against what: docs/performance.md says how to read it.
BENCH := .venv-bench/bin/python
BENCH_READY := .venv-bench/.ready

.PHONY: bench bench-quick bench-check bench-lock

$(BENCH_READY): requirements/bench.txt
	$(PYTHON) -m venv .venv-bench
	$(BENCH) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

bench: $(BENCH_READY) ## Measure everything against its peers: about twenty minutes (needs wrk)
	$(BENCH) -m benchmarks run --docs docs/performance.md --readme README.md

bench-quick: $(BENCH_READY) ## Measure every ratio in less than three minutes (needs wrk)
	$(BENCH) -m benchmarks run --quick --json build/bench/quick.json --docs build/bench/performance.md

bench-check: $(BENCH_READY) ## Fail when a ratio lost more than a tenth against benchmarks/results.json
	$(BENCH) -m benchmarks run --quick --json build/bench/check.json
	$(BENCH) -m benchmarks check build/bench/check.json

bench-lock: ## Pin the benchmarks' requirements again, on top of the service's
	cp requirements/dev.txt requirements/bench.txt
	$(COMPILE) pyproject.toml benchmarks/requirements.in --output-file requirements/bench.txt
