#!/usr/bin/env bash
# Builds and runs the tests: those of PRESET (default: CUDA where its toolkit is, else CPU), then the CUDA sources on the
# host under the sanitizers (preset simt). Ends with `N passed, N failed, N skipped`.
#   tests/run.sh [PRESET]     LATENT_DATA: where downloaded data sets are; tests that need one are skipped without it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/setup.sh
. tests/setup.sh

preset=${1:-default}
directory=build-$preset
[ "$preset" = default ] && directory=build

passed=0
failed=0
skipped=0

# What GoogleTest counted: count 'PASSED' LOG.
count() { sed -n "s/^\[  $1 *\] \([0-9]*\) tests*[.,].*/\1/p" "$2" | tail -n 1 | grep . || echo 0; }

# Several processes, each with a share of the tests.
shards=$(cores)
[ "$shards" -le 4 ] || shards=4

# run_tests NAME DIRECTORY [ARGUMENT...]: runs the test binary and adds up what it says.
run_tests() {
  local name=$1 directory=$2 begin=$SECONDS shard p=0 f=0 s=0 pids=()
  local command=("$directory/latent_tests" --gtest_color=no "${@:3}")
  rm -f "$directory"/tests.*.log
  for ((shard = 0; shard < shards; ++shard)); do
    # Runs that share a machine wait passively: spinning threads of two runs take each other's cores.
    OMP_WAIT_POLICY=passive GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard \
      timeout 1500 "${command[@]}" >"$directory/tests.$shard.log" 2>&1 </dev/null &
    pids+=($!)
  done
  for ((shard = 0; shard < shards; ++shard)); do
    local status=0
    wait "${pids[shard]}" || status=$?
    add_up "$name" "$directory/tests.$shard.log" "$status"
  done
  if [ "$s" != 0 ]; then
    say "Skipped in $name:"
    awk '/: Skipped$/ {getline; print "  " $0}' "$directory"/tests.*.log | sort | uniq -c | sort -rn | head -n 20
  fi
  say "$name: $p passed, $f failed, $s skipped in $((SECONDS - begin)) s"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# add_up NAME LOG STATUS: into run_tests' p, f and s; shows what failed.
add_up() {
  local name=$1 log=$2 status=$3 more_p more_f
  more_p=$(count PASSED "$log") more_f=$(count FAILED "$log")
  if [ "$status" != 0 ] && [ "$more_f" = 0 ]; then
    more_f=1 # a crash, a sanitizer's stop, or the time limit
    more_p=$(grep -c '^\[       OK' "$log" || true)
    tail -n 60 "$log"
    say "$name: stopped with status $status"
  elif [ "$more_f" != 0 ]; then
    # The output of each failed case, then their names.
    awk '/^\[ RUN/ {text = ""} {text = text $0 "\n"} /^\[  FAILED  \] .*\(/ {printf "%s", text}' "$log" | head -n 300
    sed -n '/^\[  FAILED  \] [0-9]/,$p' "$log"
  fi
  p=$((p + more_p)) f=$((f + more_f)) s=$((s + $(count SKIPPED "$log")))
}

step "Packages"
# shellcheck disable=SC2086
require_packages $library_packages $test_packages $onednn_package
say "complete"

step "Build ($preset)"
build "$preset" "$directory" latent latent_tests

step "Tests ($preset)"
run_tests "$preset" "$directory"

step "Build (simt)"
build simt build-simt latent latent_tests

step "Tests (simt): CUDA sources on the host under AddressSanitizer and UndefinedBehaviorSanitizer"
run_tests simt build-simt

say ""
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
