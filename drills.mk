# Drills check the service under load, faults and bad input. Each prints its figures and fails if a bound does not hold.
# LONG=1 runs the long form, SECONDS=90 a soak of that length. docs/reliability.md lists the bounds.
DRILLS := fuzz contract overload slow-clients files cancel drain soak memory one-request retention limits \
          steady-clients integrity settings faults stream
FUZZ := $(VENV)/.fuzz

.PHONY: drills $(DRILLS)

drills: $(DRILLS) ## Run every drill in turn (LONG=1 for the long forms)

fuzz: $(FUZZ) ## Drill: hostile bytes for the decoder and the parsers of forms and JSON
contract: ## Drill: generated requests, checked against the OpenAPI document
overload: ## Drill: up to ten times the capacity (a part needs nginx and redis-server)
slow-clients: ## Drill: clients that send slowly or not at all
files: ## Drill: more slow uploads than the process may open files
cancel: ## Drill: clients that disconnect while they wait
drain: ## Drill: SIGTERM and SIGKILL under load
soak: ## Drill: 20 minutes of mixed traffic without growing memory
memory: ## Drill: memory with bombs, the largest pictures and 10,000 requests
one-request: ## Drill: small files that are large to decode, alone, in batches and on all workers
retention: ## Drill: nothing written to disk, no outbound connection (needs strace)
limits: ## Drill: rate limits shared through Redis (needs redis-server)
steady-clients: ## Drill: 50,000 requests under the rate without growing memory
integrity: ## Drill: modified model files and reloads
settings: ## Drill: settings that make no sense
stream: ## Drill: streams at full pace, many of them, beside requests, and their ends
faults: ## Drill: steps that raise, a stdout that blocks, a full disk

$(FUZZ): requirements/fuzz.txt $(DEV)
	$(call install,$(VENV),fuzz,dev fuzz)
	@touch $@

$(DRILLS): $(DEV)
	$(BIN)/python -m drills.$(subst -,_,$@) $(if $(LONG),--long) $(if $(SECONDS),--seconds $(SECONDS))
