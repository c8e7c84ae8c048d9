#!/usr/bin/env bash
# Looks every pinned requirement up among the known vulnerabilities. A finding is printed and fails; so does a database
# that cannot be asked, since nothing was looked up then.
set -u

for file in service otel gpu dev fuzz manifests train; do
  said=$("$1/pip-audit" --strict --progress-spinner off --disable-pip --require-hashes \
    --requirement "requirements/$file.txt" 2>&1) && { echo "$file: ${said##*$'\n'}"; continue; }
  last=${said##*$'\n'}
  if grep -q 'Found [0-9]* known vulnerabilit' <<<"$said"; then
    echo "$said"
  else
    echo "audit: the database of known vulnerabilities cannot be asked from here, so nothing is known of" \
      "requirements/$file.txt (${last#ERROR:pip_audit._cli:})." >&2
  fi
  exit 1
done
