#!/usr/bin/env bash
# Checks that requirements/ installs with the pips that people have. For each supported Python on the PATH, the rules of
# the Makefile make the environments with the oldest pip that such a Python brings; then later pips, up to the newest,
# say whether they would install the same. PyTorch, which is not pinned by hash, and the image's gpu.txt are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_QUIET=2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exactly=(--no-deps --require-hashes)
all_lists=(service otel bulk dev ray manifests fuzz train explain)
bench_lists=(bench)
stores_lists=(stores store-test)
environments=(all bench stores)

requirements() { # ENVIRONMENT: sets `options`
  local -n lists=$1_lists
  options=("${exactly[@]}")
  for list in "${lists[@]}"; do options+=(--requirement "requirements/$list.txt"); done
}

check() { # PYTHON PIP...
  local here=$work/$1 pip made
  local bench=$here/bench/bin/python
  for made in "${environments[@]}"; do
    "$1" -m venv "$here/$made"
    "$here/$made/bin/python" -m pip install "$2"
  done

  # The files are fetched once. Each list names one version of each package, so nothing else could be installed.
  for made in "${environments[@]}"; do
    requirements "$made"
    "$bench" -m pip download "${options[@]}" --dest "$here/files"
  done
  local offline=(env PIP_NO_INDEX=1 "PIP_FIND_LINKS=$here/files")
  for made in all/.service all/.ray all/.ops all/.fuzz all/.pinned bench/.ready stores/.ready; do
    "${offline[@]}" make --silent "VENV=$here/all" "TRAIN_VENV=$here/all" "BENCH_VENV=$here/bench" "STORES=$here/stores" \
      "$here/$made"
  done
  "$here/all/bin/python" scripts/check_environment.py requirements/otel.txt
  "$here/all/bin/python" scripts/check_environment.py --exact requirements/{service,bulk,dev,ray,manifests,fuzz,train}.txt
  "$bench" scripts/check_environment.py --exact requirements/bench.txt
  "$here/stores/bin/python" scripts/check_environment.py --exact requirements/{stores,store-test}.txt
  echo "$1, ${2/==/ }: every environment holds what is listed, nothing else"
  # It needs PyTorch, which no list has.
  "${offline[@]}" "$here/all/bin/python" -m pip install "${exactly[@]}" --requirement requirements/explain.txt

  for pip in "${@:3}" pip; do
    "$bench" -m pip install --upgrade "$pip"
    for made in "${environments[@]}"; do
      requirements "$made"
      "${offline[@]}" "$bench" -m pip install --dry-run --ignore-installed "${options[@]}"
    done
    echo "$1, $("$bench" -m pip --version | cut -d ' ' -f 1,2): would install the same"
  done
}

checked=0
while read -r python pips; do
  if "$python" -c "import venv" 2>/dev/null; then
    # shellcheck disable=SC2086
    check "$python" $pips
    checked=1
  else
    echo "$python: not on the PATH, so not checked"
  fi
done <<'PIPS'
python3.11 pip==22.3 pip==23.2.1 pip==24.2
python3.12 pip==23.2.1 pip==24.2
python3.13 pip==24.2
PIPS
((checked)) || { echo "none of them: nothing was checked" >&2; exit 1; }
