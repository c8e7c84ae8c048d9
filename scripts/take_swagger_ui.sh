#!/bin/sh
# Extracts the files of Swagger UI for /docs from its npm package and checks their hashes.
set -eu

version=5.35.0
target=$(dirname "$0")/../app/api/swagger
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent "swagger-ui-dist@$version" >/dev/null && tar -xzf "swagger-ui-dist-$version.tgz")
for file in swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE; do
  cp "$work/package/$file" "$target/$file"
done
(cd "$target" && sha256sum --check SHA256SUMS)
