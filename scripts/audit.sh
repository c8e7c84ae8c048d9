#!/usr/bin/env bash
# Checks every pinned requirement for known vulnerabilities. Fails if it finds one, and if the database of
# vulnerabilities cannot be reached.
set -u

for file in service otel gpu dev ray stores store-test bench fuzz manifests train explain examples/reviews/run; do
  list=requirements/$file.txt
  [[ $file == examples/* ]] && list=${file%/*}/requirements/${file##*/}.txt
  output=$("$1/pip-audit" --strict --progress-spinner off --disable-pip --require-hashes \
    --requirement "$list" 2>&1) && { echo "$file: ${output##*$'\n'}"; continue; }
  last=${output##*$'\n'}
  if grep -q 'Found [0-9]* known vulnerabilit' <<<"$output"; then
    echo "$output"
  else
    echo "audit: $list was not checked, because the database of vulnerabilities cannot be reached" \
      "(${last#ERROR:pip_audit._cli:})." >&2
  fi
  exit 1
done
