# What must hold under load, faults and bad input. Each prints its figures and fails when a bound does not hold.
# LONG=1 runs the long form, SECONDS=90 a soak of another length. docs/reliability.md lists the bounds.
DRILLS := fuzz contract overload slow-clients cancel drain soak memory retention limits integrity
FUZZ := $(VENV)/.fuzz

.PHONY: drills $(DRILLS)

drills: $(DRILLS) ## Run every drill, one after another (LONG=1 for the long forms)

fuzz: $(FUZZ) ## Drill: hostile bytes into the decoder and the multipart parser
contract: ## Drill: the live service against its API document
overload: ## Drill: ten times more requests than can be served
slow-clients: ## Drill: clients that dawdle
cancel: ## Drill: clients that leave while they wait
drain: ## Drill: SIGTERM and SIGKILL under load
soak: ## Drill: 20 minutes of mixed traffic, with flat memory
memory: ## Drill: what bombs, the largest pictures and 10,000 requests take and leave behind
retention: ## Drill: nothing written, nobody called (needs strace)
limits: ## Drill: rate limits shared through a real Redis (needs redis-server)
integrity: ## Drill: models that were tampered with

$(FUZZ): requirements/fuzz.txt $(DEV)
	$(call install,$(VENV),fuzz,dev fuzz)
	@touch $@

$(DRILLS): $(DEV)
	$(BIN)/python -m drills.$(subst -,_,$@) $(if $(LONG),--long) $(if $(SECONDS),--seconds $(SECONDS))
