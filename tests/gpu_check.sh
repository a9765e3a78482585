#!/usr/bin/env bash
# What only a GPU can show, on a machine that has one and nothing else: the tests, compute-sanitizer on the op tests, a
# training run, the benches. Leaves gpu_check.json and gpu_check.md in $OUT (default: gpu-check).
#   tests/gpu_check.sh --bundle    builds the preset `portable` and packs .bundle/ (needs nvcc, no GPU)
#   .bundle/gpu_check.sh           there: needs the driver and the CUDA libraries, of a toolkit or of PyTorch's packages
# GPU_CHECK_STEPS: some of "tests memcheck racecheck initcheck training bench"; GPU_CHECK_FILTER: the op tests, as a
# GoogleTest filter; GPU_CHECK_SECONDS: the limit of one step.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# ---- The bundle --------------------------------------------------------------------------------------------------

# Shared libraries of a binary that the other machine may lack: all but glibc's, the driver's and CUDA's.
carried_libraries() {
  ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv|ld-linux[^/]*)\.so|/lib(cuda|cublas|cublasLt|cudart|cudnn|nv)[^/]*\.so'
}

binaries=(latent latent_tests latent_bench)

make_bundle() {
  cd "$here/.."
  command -v xz >/dev/null || { echo "The bundle is packed with xz: install xz-utils" >&2; exit 2; }
  # shellcheck source=tests/setup.sh
  . tests/setup.sh
  # shellcheck disable=SC2086
  require_packages $library_packages $test_packages
  build portable build-portable latent latent_tests latent_bench
  rm -rf .bundle
  mkdir -p .bundle/lib
  cp -r tests/gpu_check.sh experiments tests .bundle/
  find .bundle -regex '.*\.\(h\|cpp\|cu\)' -delete
  local binary library
  for binary in "${binaries[@]}"; do
    strip -o ".bundle/$binary" "build-portable/$binary"
    for library in $(carried_libraries "build-portable/$binary"); do cp -L "$library" .bundle/lib/; done
  done
  if [ -d "${LATENT_DATA:-}/mnist" ]; then
    mkdir -p .bundle/data
    cp -rL "$LATENT_DATA/mnist" .bundle/data/
  fi
  git rev-parse --short=12 HEAD >.bundle/commit 2>/dev/null || echo unknown >.bundle/commit
  # The binaries have most of their code in common: a window that sees it makes a tenth of them.
  say "packing"
  (cd .bundle && tar -cf - "${binaries[@]}" lib | xz -T0 --lzma2=preset=3,dict=128MiB >binaries.tar.xz)
  (cd .bundle && rm -r "${binaries[@]}" lib)
  say "bundle: $(du -sh .bundle | cut -f1) in .bundle/"
  [ "$(du -sm .bundle | cut -f1)" -lt 60 ] || { say "bundle: larger than 60 MB"; exit 1; }
}

if [ "${1:-}" = --bundle ]; then
  make_bundle
  exit 0
fi
# Python reads the archive where there is no xz.
if [ ! -x "$here/latent_tests" ] && [ -f "$here/binaries.tar.xz" ]; then
  archive=$here/binaries.tar.xz
  { xz -dc "$archive" 2>/dev/null || python3 -c 'import lzma, shutil, sys
shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' "$archive"; } | tar -xf - -C "$here"
fi
if [ ! -x "$here/latent_tests" ]; then
  [ -x "$here/../.bundle/gpu_check.sh" ] && exec "$here/../.bundle/gpu_check.sh" "$@"
  echo "No bundle here: make one with tests/gpu_check.sh --bundle" >&2
  exit 2
fi

# ---- The check ---------------------------------------------------------------------------------------------------

out=${OUT:-gpu-check}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$here"
seconds=${GPU_CHECK_SECONDS:-900}
steps=${GPU_CHECK_STEPS:-tests memcheck racecheck initcheck training bench}
filter=${GPU_CHECK_FILTER:-*OpSampleOnGpu*:Skeleton*:ThreadTest*}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -d data ] && export LATENT_DATA=$here/data

die() {
  echo "gpu_check: $*" >&2
  exit 2
}

# Folders that may hold cuBLASLt, cuDNN and the driver: those of Python's nvidia packages, of a toolkit, of the driver.
library_folders() {
  local python
  for python in python3 python; do
    "$python" -c 'import glob, sys
for p in sys.path:
    print(*glob.glob(p + "/nvidia/*/lib"), sep="\n")' 2>/dev/null && break
  done
  ls -d /usr/local/cuda*/lib64 /usr/local/nvidia/lib64 2>/dev/null
}

find_sanitizer() {
  command -v compute-sanitizer ||
    find /usr/local/cuda*/bin /usr/local/cuda*/compute-sanitizer /opt/nvidia -name compute-sanitizer -type f -perm -u+x 2>/dev/null |
    head -n 1
}

for folder in $(library_folders || true); do LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder; done
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}

lost=$(ldd ./latent_tests | awk '/not found/ {print $1}' | sort -u | tr '\n' ' ')
[ -z "$lost" ] || die "libraries not found: $lost(looked in $LD_LIBRARY_PATH); set LD_LIBRARY_PATH"
device=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1) || true
[ -n "$device" ] || die "no GPU here: nvidia-smi names none"
sanitizer=$(find_sanitizer || true)

failed=0
rows=""    # of the summary
objects="" # of the JSON

# record NAME STATUS SECONDS TEXT [JSON members]
record() {
  echo "$1: $2, $4 ($3 s)"
  rows+="| $1 | $2 | $3 | $4 |"$'\n'
  objects+="${objects:+,}"$'\n'"    {\"name\": \"$1\", \"status\": \"$2\", \"seconds\": $3${5:+, $5}}"
  if [ "$2" = failed ]; then failed=1; fi
}

# run STEP COMMAND...: into $work/STEP.log; sets status and took.
run() {
  local begin=$SECONDS
  status=0
  timeout "$seconds" "${@:2}" >"$work/$1.log" 2>&1 </dev/null || status=$?
  took=$((SECONDS - begin))
  cat "$work/$1.log" >>"$out/gpu_check.log"
  if [ "$status" != 0 ]; then tail -n 40 "$work/$1.log"; fi
}

verdict() { if [ "$status" = 0 ]; then echo passed; else echo failed; fi; }

count() { sed -n "s/^\[  $1 *\] \([0-9]*\) tests*[.,].*/\1/p" "$work/$2.log" | tail -n 1 | grep . || echo 0; }

step_tests() {
  run tests ./latent_tests --gtest_color=no
  local p f s
  p=$(count PASSED tests) f=$(count FAILED tests) s=$(count SKIPPED tests)
  record tests "$(verdict)" "$took" "$p passed, $f failed, $s skipped" "\"passed\": $p, \"failed\": $f, \"skipped\": $s"
}

# step_sanitizer TOOL: an error of the tool ends in status 86.
step_sanitizer() {
  if [ -z "$sanitizer" ]; then
    record "$1" skipped 0 "no compute-sanitizer here"
    return
  fi
  run "$1" "$sanitizer" --tool "$1" --error-exitcode 86 ./latent_tests --gtest_color=no --gtest_filter="$filter"
  local text
  text=$(sed -n 's/^=* *\([A-Z]* SUMMARY: .*\)/\1/p' "$work/$1.log" | tail -n 1)
  record "$1" "$(verdict)" "$took" "${text:-status $status}; $(count PASSED "$1") op tests" "\"summary\": \"$text\", \"tests\": $(count PASSED "$1")"
}

step_training() {
  run training ./latent run experiments/quickstart.yaml --device cuda --out "$work/runs"
  local summary loss
  summary=$(find "$work/runs" -name summary.json 2>/dev/null | head -n 1)
  loss=$(tr -d '\n' <"${summary:-/dev/null}" | sed -n 's/.*"test": *{[^}]*"loss": *\([-0-9.e+]*\).*/\1/p')
  record training "$(verdict)" "$took" "test loss ${loss:-unknown}" "\"test_loss\": ${loss:-null}"
}

step_bench() {
  run bench ./latent_bench --benchmark_color=false --benchmark_out="$work/bench.json" --benchmark_out_format=json
  record bench "$(verdict)" "$took" "$(grep -c '"run_name"' "$work/bench.json" 2>/dev/null || echo 0) lines"
}

: >"$out/gpu_check.log"
for step in $steps; do
  case $step in
    tests) step_tests ;;
    training) step_training ;;
    bench) step_bench ;;
    memcheck | racecheck | initcheck) step_sanitizer "$step" ;;
    *) die "no step $step" ;;
  esac
done

commit=$(cat commit)
{
  echo "{"
  echo "  \"commit\": \"$commit\", \"device\": \"$device\", \"date\": \"$(date -u +%FT%TZ)\","
  echo "  \"steps\": [$objects"
  echo "  ],"
  echo "  \"bench\": $(cat "$work/bench.json" 2>/dev/null || echo null)"
  echo "}"
} >"$out/gpu_check.json"
{
  echo "# GPU check"
  echo
  echo "Commit $commit on $device, $(date -u +%F)."
  echo
  echo "| step | status | seconds | |"
  echo "|---|---|---|---|"
  printf '%s' "$rows"
  if [ -s "$work/bench.log" ]; then
    printf '\n```\n'
    cat "$work/bench.log"
    echo '```'
  fi
} >"$out/gpu_check.md"
echo "Summary: $out/gpu_check.md"
exit "$failed"
