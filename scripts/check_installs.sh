#!/usr/bin/env bash
# Checks that requirements/ installs with the pips that people have. For each supported Python on the PATH, the rules of
# the Makefile make the environments with the oldest pip that such a Python brings; then later pips, up to the newest,
# say whether they would install the same. PyTorch, which is not pinned by hash, and the image's gpu.txt are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_QUIET=2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
layers=()
for list in service otel dev manifests fuzz train; do layers+=(--requirement "requirements/$list.txt"); done
exactly=(--no-deps --require-hashes)

check() { # PYTHON PIP...
  local here=$work/$1 pip made
  local all=$here/all/bin/python bench=$here/bench/bin/python
  for made in all bench; do
    "$1" -m venv "$here/$made"
    "$here/$made/bin/python" -m pip install "$2"
  done

  # The files are fetched once. Each list names one version of each package, so nothing else could be installed.
  "$bench" -m pip download "${exactly[@]}" --dest "$here/files" "${layers[@]}"
  "$bench" -m pip download "${exactly[@]}" --dest "$here/files" --requirement requirements/bench.txt
  local offline=(env PIP_NO_INDEX=1 "PIP_FIND_LINKS=$here/files")
  for made in all/.service all/.ops all/.fuzz all/.pinned bench/.ready; do
    "${offline[@]}" make --silent "VENV=$here/all" "TRAIN_VENV=$here/all" "BENCH_VENV=$here/bench" "$here/$made"
  done
  "$all" scripts/check_environment.py requirements/otel.txt
  "$all" scripts/check_environment.py --exact requirements/{service,dev,manifests,fuzz,train}.txt
  "$bench" scripts/check_environment.py --exact requirements/bench.txt
  echo "$1, ${2/==/ }: every environment holds what is listed, nothing else"

  for pip in "${@:3}" pip; do
    "$bench" -m pip install --upgrade "$pip"
    "${offline[@]}" "$bench" -m pip install --dry-run --ignore-installed "${exactly[@]}" "${layers[@]}"
    "${offline[@]}" "$bench" -m pip install --dry-run --ignore-installed "${exactly[@]}" --requirement requirements/bench.txt
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
