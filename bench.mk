# Benchmarks; docs/performance.md explains the figures.
BENCH_VENV := .venv-bench
BENCH := $(BENCH_VENV)/bin/python
BENCH_READY := $(BENCH_VENV)/.ready

.PHONY: bench bench-quick bench-check

$(BENCH_READY): requirements/bench.txt | $(BENCH)
	$(call install,$(BENCH_VENV),bench,bench)
	@touch $@

bench: $(BENCH_READY) ## Compare with other servers, about twenty minutes (needs wrk)
	$(BENCH) -m benchmarks run --docs docs/performance.md --readme README.md

bench-quick: $(BENCH_READY) ## Measure every ratio, less than three minutes (needs wrk)
	$(BENCH) -m benchmarks run --quick --json build/bench/quick.json --docs build/bench/performance.md

bench-check: $(BENCH_READY) ## Fail if a ratio lost more than a tenth against benchmarks/results.json (needs wrk)
	$(BENCH) -m benchmarks run --quick --json build/bench/check.json
	$(BENCH) -m benchmarks check build/bench/check.json
