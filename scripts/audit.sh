#!/usr/bin/env bash
# Checks every pinned requirement for known vulnerabilities. Fails if it finds one, and if the database of
# vulnerabilities cannot be reached.
set -u

for file in service otel gpu dev fuzz manifests train; do
  output=$("$1/pip-audit" --strict --progress-spinner off --disable-pip --require-hashes \
    --requirement "requirements/$file.txt" 2>&1) && { echo "$file: ${output##*$'\n'}"; continue; }
  last=${output##*$'\n'}
  if grep -q 'Found [0-9]* known vulnerabilit' <<<"$output"; then
    echo "$output"
  else
    echo "audit: requirements/$file.txt was not checked, because the database of vulnerabilities cannot be reached" \
      "(${last#ERROR:pip_audit._cli:})." >&2
  fi
  exit 1
done
