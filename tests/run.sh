#!/bin/bash
# Everything that can be checked, from a bare Debian 12 checkout: installs what tests need, builds, runs.
#   tests/run.sh                          release build: layers, format, clang-tidy on what changed, unit, end-to-end,
#                                         browser and Python client tests
#   tests/run.sh --sanitize [asan|tsan]   the same suite on a sanitizer build (without a name: both, one after the other)
#   --units                               only the unit tests
#   --units-of "storage http"             only those of these layers
# The last line is "N passed, N failed"; the status is 0 only if nothing failed. Needs no terminal.
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

presets=()
units=
while [ $# -gt 0 ]; do
  case $1 in
    --sanitize)
      case ${2:-} in
        asan | tsan) presets+=("$2"); shift ;;
        *) presets+=(asan tsan) ;;
      esac ;;
    --units) units=1 ;;
    --units-of) units=$2; shift ;;
    *) sed -n '2,8s/^# //p' "$0"; exit 2 ;;
  esac
  shift
done
[ ${#presets[@]} -gt 0 ] || presets=(release)

passed=0
failed=0
source tests/support/steps.sh

prepare || finish
check "layers" tests/layers_test.sh
check "layers: what goes upward is found" planted_includes
check "documents" tests/documents_test.sh
check "format" format_check
check "no co_await in a conditional expression" no_conditional_awaits
check "alert rules" promtool check rules deploy/prometheus/tokenrelay.rules.yml
for preset in "${presets[@]}"; do
  build "$preset" || continue
  [ "$preset" != release ] || tidy
  programs "$preset"
  [ -n "$units" ] || browsers "$preset"
  [ -n "$units" ] || python_clients "$preset"
done
finish
