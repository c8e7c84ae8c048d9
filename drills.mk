# What must hold under load, faults and bad input. Each prints its figures and fails when a bound does not hold.
# LONG=1 runs the long form. docs/reliability.md lists the last figures.
DRILLS := fuzz contract overload slow-clients cancel drain soak retention limits integrity

.PHONY: drills $(DRILLS)

drills: $(DRILLS) ## Run every drill, one after another (LONG=1 for the long forms)

fuzz: ## Drill: hostile bytes into the decoder and the multipart parser
contract: ## Drill: the live service against its API document
overload: ## Drill: ten times more requests than can be served
slow-clients: ## Drill: clients that dawdle
cancel: ## Drill: clients that leave while they wait
drain: ## Drill: SIGTERM and SIGKILL under load
soak: ## Drill: mixed traffic for long, with flat memory
retention: ## Drill: nothing written, nobody called (needs strace)
limits: ## Drill: rate limits shared through a real Redis (needs redis-server)
integrity: ## Drill: models that were tampered with

$(DRILLS): $(DEV)
	$(BIN)/python -m tests.drills.$(subst -,_,$@) $(if $(LONG),--long)
