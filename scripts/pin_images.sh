#!/usr/bin/env bash
# Writes the digest that each image's tag has in its registry into the files that name the image by digest, and prints
# what changed. Needs docker with buildx, crane or skopeo, and the registries.
#
#   scripts/pin_images.sh            writes
#   scripts/pin_images.sh --check    fails if a tag has another digest, and writes nothing
set -euo pipefail
cd "$(dirname "$0")/.."

files=(docker-compose.yml docker-compose.scale.yml docker-compose.https.yml examples/reviews/docker-compose.yml deploy/kubernetes/base/redis.yaml .github/workflows/*.yml)
pinned='[a-z0-9][a-z0-9./_-]*:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}'

digest() {
  if docker buildx version >/dev/null 2>&1; then
    docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'
  elif command -v crane >/dev/null; then
    crane digest "$1"
  elif command -v skopeo >/dev/null; then
    # Of the list of architectures, not of one of its images.
    printf 'sha256:%s\n' "$(skopeo inspect --raw "docker://$1" | sha256sum | cut -d ' ' -f 1)"
  else
    echo "pin-images: needs docker with buildx, crane or skopeo" >&2
    return 1
  fi
}

changed=0
for old in $(grep --no-filename --only-matching --extended-regexp "$pinned" "${files[@]}" | sort --unique); do
  tag=${old%@*}
  found=$(digest "$tag")
  [[ $found =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "pin-images: no digest for $tag" >&2; exit 1; }
  [[ $old == "$tag@$found" ]] && continue
  changed=1
  echo "$tag: $found instead of ${old#*@}"
  [[ ${1:-} == --check ]] || sed -i "s|$old|$tag@$found|g" "${files[@]}"
done
if [[ ${1:-} == --check ]]; then exit $changed; fi
