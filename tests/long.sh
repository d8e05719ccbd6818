#!/bin/bash
# What takes longer than CI has time for; run it once an issue, on a machine that does nothing else.
#   tests/long.sh                    all steps: hours
#   tests/long.sh tidy fuzz          only these: tidy asan tsan fuzz bench
#   FUZZ_SECONDS=10 tests/long.sh fuzz
# tidy: clang-tidy on every file. asan, tsan: the whole suite on a sanitizer build. fuzz: each target over its corpus,
# then for FUZZ_SECONDS (60) on inputs of its own. bench: every mode, briefly; what was delivered must be what was sent.
# Each step ends at a limit of its own. The last line is "N passed, N failed"; the status is 0 only if nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(tidy asan tsan fuzz bench)
for step in "${steps[@]}"; do
  case $step in
    tidy | asan | tsan | fuzz | bench) ;;
    *) sed -n '2,8s/^# //p' "$0"; exit 2 ;;
  esac
done

passed=0
failed=0
source tests/support/steps.sh

# One thing that passes or fails, within so many seconds. Its output is in build/long/; shown is the end of it.
timed() {
  local name=$1 limit=$2 log=build/long/${1//[^a-z0-9]/-}.log start=$SECONDS status=0
  shift 2
  timeout --kill-after=30 "$limit" "$@" >"$log" 2>&1 || status=$?
  if [ "$status" = 0 ]; then
    echo "passed: $name ($((SECONDS - start)) s): $(tail -1 "$log")"
    passed=$((passed + 1))
    return 0
  fi
  tail -100 "$log"
  [ "$status" != 124 ] || echo "not done after $limit s"
  echo "FAILED: $name (status $status, $((SECONDS - start)) s; all of it: $log)"
  failed=$((failed + 1))
  return 1
}

step_tidy() { timed "clang-tidy on all files" 7200 tests/tidy.sh --all; }

# The suite counts its own cases: its last line.
suite() {
  local log=build/long/$1.log start=$SECONDS good bad
  timeout --kill-after=30 7200 tests/run.sh --sanitize "$1" 2>&1 | tee "$log"
  local status=${PIPESTATUS[0]}
  good=$(tail -1 "$log" | sed -nE 's/^([0-9]+) passed, [0-9]+ failed$/\1/p')
  bad=$(tail -1 "$log" | sed -nE 's/^[0-9]+ passed, ([0-9]+) failed$/\1/p')
  echo "the suite on $1: status $status after $((SECONDS - start)) s"
  [ "$status" = 0 ] || [ "${bad:-0}" -gt 0 ] || bad=1
  passed=$((passed + ${good:-0}))
  failed=$((failed + ${bad:-0}))
}
step_asan() { suite asan; }
step_tsan() { suite tsan; }

# What breaks a target is kept in build/fuzz/found/, what is new in build/fuzz/new/.
step_fuzz() {
  local target name seconds=${FUZZ_SECONDS:-60}
  local -a targets
  mapfile -t targets < <(cd tests/fuzz && printf '%s\n' *_fuzz.cc | sed 's/\.cc$//')
  timed "configure fuzz" 300 cmake --preset fuzz || return
  timed "build fuzz" 3600 cmake --build build/fuzz --target "${targets[@]}" || return
  export ASAN_SYMBOLIZER_PATH=/usr/bin/addr2line   # clang's own is in a package that nothing else needs
  for target in "${targets[@]}"; do
    name=${target%_fuzz}
    mkdir -p build/fuzz/found "build/fuzz/new/$name"
    local -a run=("build/fuzz/$target" -artifact_prefix="build/fuzz/found/$name-" -timeout=20 -print_funcs=0)
    timed "fuzz $name over its corpus" 300 "${run[@]}" -runs=0 "tests/fuzz/corpus/$name" || continue
    timed "fuzz $name for $seconds s" $((seconds + 120)) \
      "${run[@]}" -max_total_time="$seconds" "build/fuzz/new/$name" "tests/fuzz/corpus/$name"
  done
}

step_bench() {
  timed "configure release" 300 cmake --preset release || return
  timed "build bench" 3600 cmake --build build/release --target bench || return
  timed "bench" 1800 build/release/bench all --seconds 3 --streams 200 --subscribers 300 --minutes 0.3 &&
    cat build/long/bench.log
  timed "build e2e" 3600 cmake --build build/release --target e2e || return
  timed "abuse" 600 env ALONE=1 build/release/e2e "[abuse]"
}

mkdir -p build/long
prepare || finish
for step in "${steps[@]}"; do
  start=$SECONDS
  say "$step"
  "step_$step"
  echo "$step: $((SECONDS - start)) s"
done
finish
