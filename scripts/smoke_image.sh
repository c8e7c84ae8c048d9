#!/usr/bin/env bash
# Builds the image, runs it as its user with a read-only root and no capabilities, waits until it is ready, sends the
# sample pictures, and stops it. Checks that it does not start if STRICT_PROVIDERS asks for a GPU and there is none.
# Prints size, times and memory; fails if a check fails.
#
#   scripts/smoke_image.sh                   builds visage:smoke first
#   BASE=python:3.11-slim@sha256:… scripts/smoke_image.sh   on this base image (with Docker)
#   FLAVOUR=otel scripts/smoke_image.sh      builds visage:smoke-otel; or cuda, which then runs on the CPU; or bulk
#   IMAGE=visage:local scripts/…             uses an existing image
#
# Uses Docker if its daemon runs; otherwise buildah, and a chroot with its own namespaces (needs root). BUILD_IMAGE is
# then the command that builds the image; it gets `--tag NAME FOLDER`.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PORT:-8765}
flavour=${FLAVOUR:-cpu}
tag=visage:smoke
[[ $flavour == cpu ]] || tag=visage:smoke-$flavour
image=${IMAGE:-$tag}
most_mb=420
settings=()
case $flavour in
  cpu) ;;
  otel) settings=(OTEL_ENABLED=true) ;;
  cuda) most_mb=3000 ;;
  bulk) most_mb=750 ;;
  *) echo "smoke: FLAVOUR takes cpu, otel, cuda or bulk, not $flavour" >&2; exit 2 ;;
esac
url=http://127.0.0.1:$port
log=$(mktemp)
cleanup=("rm $log")
trap 'for ((i = ${#cleanup[@]} - 1; i >= 0; i--)); do eval "${cleanup[i]}" >/dev/null 2>&1 || true; done' EXIT

fail() {
  [[ -z ${container:-} ]] || { journal || true; } | tail -n 20 >&2
  echo "smoke: $*" >&2
  exit 1
}
now_ms() { date +%s%3N; }

if docker version >/dev/null 2>&1; then
  [[ -n ${IMAGE:-} ]] || docker build --quiet --build-arg "FLAVOUR=$flavour" ${BASE:+--build-arg "BASE=$BASE"} --tag "$image" . >/dev/null
  share_mb() { docker run --rm --entrypoint du "$image" --summarize --total --block-size=1M /opt/site /srv/visage | awk 'END {print $1}'; }
  launch() {
    container=$(docker run --detach --read-only --cap-drop ALL --security-opt no-new-privileges \
      --memory 512m --cpus 2 --env "PORT=$port" "${@/#/--env=}" --publish "127.0.0.1:$port:$port" "$image")
    cleanup+=("docker rm --force $container")
  }
  running() { [[ $(docker inspect --format '{{.State.Running}}' "$container") == true ]]; }
  journal() { docker logs "$container" 2>&1; }
  process() { docker exec "$container" cat "/proc/1/$1"; }
  probe() { docker exec "$container" "$@"; }
  stop() { docker stop --time 45 "$container" >/dev/null; }
  await_end() { code=$(docker wait "$container"); }
else
  export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
  [[ $(id -u) == 0 ]] || fail "the Docker daemon does not run, and buildah needs root here"
  if [[ -z ${IMAGE:-} ]]; then
    # BUILD_IMAGE need not accept build arguments.
    context=$(mktemp --directory)
    cleanup+=("rm -r $context")
    sed -n 's/^!//p' .dockerignore | xargs cp -r --parents --target-directory "$context" .dockerignore
    sed "s/^ARG FLAVOUR=cpu$/ARG FLAVOUR=$flavour/" Dockerfile >"$context/Dockerfile"
    ${BUILD_IMAGE:-buildah build --quiet} --tag "$image" "$context" >/dev/null
  fi
  container=$(buildah from --pull-never "$image")
  cleanup+=("buildah rm $container")
  root=$(buildah mount "$container")
  cleanup+=("buildah umount $container")
  config() {
    buildah inspect --type container "$container" |
      python3 -c 'import json, sys; value = json.load(sys.stdin)["OCIv1"]["config"][sys.argv[1]]; print(*[value] if isinstance(value, str) else value, sep="\n")' "$1"
  }
  mapfile -t environment < <(config Env)
  mapfile -t command < <(config Entrypoint)
  user=$(config User)
  folder=$(config WorkingDir)
  confined=(setpriv "--reuid=${user%%:*}" "--regid=${user##*:}" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs)
  share_mb() { du --summarize --total --block-size=1M "$root/opt/site" "$root/srv/visage" | awk 'END {print $1}'; }
  launch() {
    # shellcheck disable=SC2016
    unshare --mount --pid --fork sh -c '
      root=$1; folder=$2; shift 2
      mount --bind "$root" "$root"
      mount --rbind /dev "$root/dev"
      mount -t proc proc "$root/proc"
      mount -o remount,ro,bind "$root"
      exec chroot "$root" sh -c "cd $folder && exec \"\$@\"" sh "$@"
    ' sh "$root" "$folder" env -i "${environment[@]}" "PORT=$port" "$@" \
      "${confined[@]}" "${command[@]}" >"$log" 2>&1 &
    outer=$!
    cleanup+=("kill -9 \$(inner)")
  }
  running() { kill -0 "$outer" 2>/dev/null; }
  journal() { cat "$log"; }
  inner() { pgrep --parent "$outer" --oldest; }
  process() { cat "/proc/$(inner)/$1"; }
  probe() { nsenter --target "$(inner)" --mount --pid -- chroot "$root" env -i "${environment[@]}" "PORT=$port" "$@"; }
  stop() { kill -TERM "$(inner)"; }
  await_end() {
    code=0
    wait "$outer" || code=$?
  }
fi

curl --silent --output /dev/null --max-time 1 "$url" && fail "something listens on port $port; set PORT"
share=$(share_mb)
started=$(now_ms)
launch "${settings[@]}"
until curl --silent --fail --output /dev/null --max-time 1 "$url/health/ready"; do
  running || fail "it ended before it was ready"
  (($(now_ms) - started < 60000)) || fail "not ready after a minute"
  sleep 0.02
done
cold=$(($(now_ms) - started))
spent=$(process stat | awk -v ticks="$(getconf CLK_TCK)" '{print int(($14 + $15) * 1000 / ticks)}')
idle=$(process status | awk '/^VmRSS/ {print int($2 / 1024)}')

has() { process "$1" | grep -E "$2" >/dev/null; }
has status '^Uid:.10001' || fail "does not run as user 10001"
has status '^CapBnd:.0+$' || fail "has capabilities"
has status '^NoNewPrivs:.1' || fail "can gain privileges"
has limits '^Max core file size +0 +0 ' || fail "can dump its memory"
probe python -c "open('/srv/visage/x', 'w')" 2>/dev/null && fail "can write to its root file system"
mapfile -t health < <(python3 - <<'PY'
import json, pathlib, re
text = pathlib.Path("Dockerfile").read_text().replace("\\\n", "")
print(*json.loads(re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.M)[1]), sep="\n")
PY
)
probe "${health[@]}" || fail "its health check fails while it is ready"

predict() { curl --silent --output /dev/null --write-out '%{http_code} %{time_total}\n' --form "file=@sample_images/$1" "$url/predict"; }
expect() {
  read -r status seconds < <(predict "$1")
  [[ $status == "$2" ]] || fail "$1 gets status $status, not $2"
}
expect happy_sample.jpg 200
first=$seconds
for _ in $(seq 20); do expect happy_sample.jpg 200; done
warm=$seconds
expect neutral_sample.jpg 200
expect no_face.jpg 422
expect multiple_faces.jpg 422
for _ in $(seq 75); do expect happy_sample.jpg 200; done
used=$(process status | awk '/^VmRSS/ {print int($2 / 1024)}')

stop
await_end
[[ $code == 0 ]] || fail "ends with status $code after SIGTERM"

launch EXECUTION_PROVIDERS=cuda STRICT_PROVIDERS=true
await_end
[[ $code == 2 ]] || fail "ends with status $code, not 2, without the GPU that it must have"
refused=$(journal | grep '^STRICT_PROVIDERS: ') || fail "does not say that the GPU that it must have is missing"
journal | grep Traceback >/dev/null && fail "ends with a traceback without a GPU"

printf 'service in image    %5d MB (at most %d)\n' "$share" "$most_mb"
printf 'start to ready      %5d ms, %d ms of CPU time\n' "$cold" "$spent"
printf 'resident memory     %5d MB ready, %d MB after 100 pictures\n' "$idle" "$used"
printf 'prediction          %5.0f ms first, %.0f ms warm\n' "$(awk "BEGIN {print $first * 1000}")" "$(awk "BEGIN {print $warm * 1000}")"
printf 'without the GPU that it must have: %s\n' "$refused"
((share <= most_mb)) || fail "the service takes more than $most_mb MB of the image"
