#!/bin/bash
# clang-tidy with the checks of .clang-tidy; each finding is an error. A header is checked through a file that includes
# it. A file that clang-tidy cannot read fails.
#   tests/tidy.sh FILE...            these files
#   tests/tidy.sh --changed [BASE]   those that differ from the merge base with BASE (origin/main), or else those of the
#                                    last commits; the newest 25, and it says how many were left
#   tests/tidy.sh --all              every file, of the fuzz targets too: minutes
# Needs no build, only a configured build/release. The last line says how many files were checked and what it took.
set -uo pipefail
cd "$(dirname "$0")/.."

tidy=clang-tidy-19       # in Debian 12 and 13; older ones have no coroutines with Asio and GCC's headers
at_most=25               # files of --changed: what CI has time for
seconds_per_file=180     # none takes a tenth of it
database=build/release/compile_commands.json
folders=(service storage metrics tests)

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

code() { grep -E '^(service|storage|metrics|tests)/.*\.(cc|c|h)$' | grep -v /node_modules/; }
existing() { while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done; }
once() { awk '!seen[$0]++'; }

# A checkout may belong to another user than the one who runs this.
git() { command git -c safe.directory="$PWD" "$@"; }

# Newest first: what is not committed, then the commits since the base. Without git, by the time of the files.
changed() {
  local base
  if ! git rev-parse -q --verify HEAD >/dev/null 2>&1; then
    find "${folders[@]}" -type f -printf '%T@ %p\n' | sort -rn | cut -d' ' -f2-
    return
  fi
  git diff --name-only HEAD
  git ls-files --others --exclude-standard
  base=$(git merge-base HEAD "$1" 2>/dev/null) && git log --format= --name-only "$base..HEAD"
}
last_commits() { git log --format= --name-only -200; }

# The files through which header $1 can be checked, its own first; where only headers include it, those of the headers.
sources_of() {
  local header includers
  includers=$(grep -rlF "#include \"$1\"" --include='*.cc' --include='*.c' --include='*.h' "${folders[@]}")
  grep -xF "${1%.h}.cc" <<<"$includers"
  grep -E '\.cc?$' <<<"$includers" && return
  for header in $includers; do sources_of "$header"; done
}

# From files to those that clang-tidy reads, each once, in the same order.
declare -A chosen=()
sources=()
choose() {
  [ -z "${chosen[$1]:-}" ] || return
  chosen[$1]=1
  sources+=("$1")
}
choose_for() {
  local file source through
  for file in "$@"; do [[ $file = *.h ]] || choose "$file"; done
  for file in "$@"; do
    [[ $file = *.h ]] || continue
    through=$(sources_of "$file")
    [ -n "$through" ] || fail "$file: no file includes it, so it is not checked; include it or delete it"
    for source in $through; do [ -z "${chosen[$source]:-}" ] || continue 2; done
    choose "${through%%$'\n'*}"
  done
}

check_one() {
  local start=$EPOCHREALTIME output status=0
  # Asio 1.22 does not know that clang has coroutines. GCC's warnings have names that clang does not know.
  output=$(timeout "$seconds_per_file" "$tidy" -p build/release --quiet --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-DASIO_HAS_CO_AWAIT=1 --extra-arg=-DASIO_HAS_STD_COROUTINE=1 "$1" 2>&1) || status=$?
  [ "$status" = 0 ] || grep -vE '^[0-9]+ warnings?( and [0-9]+ errors?)? generated' <<<"$output" >&2
  [ "$status" != 124 ] || echo "$1: not done after $seconds_per_file s" >&2
  printf '%s %s\n' $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) "$1"
  return "$status"
}
export -f check_one
export tidy seconds_per_file

case ${1:-} in
  --all) mapfile -t files < <(find "${folders[@]}" -type f | code | sort) ;;
  --changed)
    mapfile -t files < <(changed "${2:-origin/main}" | code | existing | once)
    [ ${#files[@]} -gt 0 ] || mapfile -t files < <(last_commits | code | existing | once | head -"$at_most") ;;
  '' | -*) sed -n '2,8s/^# //p' "$0"; exit 2 ;;
  *) files=("$@") ;;
esac
command -v "$tidy" >/dev/null || fail "$tidy is not installed: deploy/install-packages.sh tests/packages.txt"
[ -f "$database" ] || cmake --preset release >/dev/null || fail "cmake --preset release does not configure"

left=0
if [ "$1" = --changed ] && [ ${#files[@]} -gt "$at_most" ]; then
  left=$((${#files[@]} - at_most))
  files=("${files[@]:0:at_most}")
fi
choose_for "${files[@]}"
[ "$left" = 0 ] || echo "$left more files changed: tests/tidy.sh --all checks them"
[ ${#sources[@]} -gt 0 ] || fail "no file to check"

SECONDS=0   # bash counts
times=$(printf '%s\0' "${sources[@]}" | xargs -0 -P2 -I{} bash -c 'check_one "$1"' - {})
status=$?
slowest=$(sort -rn <<<"$times" | head -1)
echo "${#sources[@]} files in $SECONDS s; the slowest: ${slowest#* }, ${slowest%% *} ms"
exit $((status != 0))
