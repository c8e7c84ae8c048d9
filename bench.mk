# Benchmarks; docs/performance.md explains the figures.
BENCH_VENV := .venv-bench
BENCH := $(BENCH_VENV)/bin/python
BENCH_READY := $(BENCH_VENV)/.ready

.PHONY: bench bench-quick bench-against bench-check

$(BENCH_READY): requirements/bench.txt | $(BENCH)
	$(call install,$(BENCH_VENV),bench,bench)
	@touch $@

bench: $(BENCH_READY) ## Compare with other servers, a quarter of an hour (needs wrk)
	$(BENCH) -m benchmarks run --docs docs/performance.md --readme README.md
	$(BENCH) -m benchmarks.details cost

bench-quick: $(BENCH_READY) ## Measure every ratio, less than three minutes (needs wrk)
	$(BENCH) -m benchmarks run --quick --json build/bench/quick.json --docs build/bench/performance.md

bench-against: $(BENCH_READY) ## Compare with revision REV in turns, two minutes (make bench-against REV=main)
	$(BENCH) -m benchmarks against $(or $(REV),$(error Which revision? Say REV=main, for example))

bench-check: $(BENCH_READY) ## Fail if a request or the memory costs a tenth more than when benchmarks/results.json was written
	$(BENCH) -m benchmarks against --most 1.1 $$(git log -1 --format=%H -- benchmarks/results.json)
