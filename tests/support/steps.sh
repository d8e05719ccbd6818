# The steps of tests/run.sh; each adds to $passed and $failed.

say() { printf '\n== %s\n' "$*"; }

finish() {
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
  exit
}

# One check: its output only when it fails.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "passed: $name"
    passed=$((passed + 1))
  else
    printf 'FAILED: %s\n%s\n' "$name" "$output"
    failed=$((failed + 1))
  fi
}

prepare() {
  check "packages" deploy/install-packages.sh deploy/packages.txt tests/packages.txt
  [ "$failed" = 0 ]
}

# GCC 12 destroys twice what co_await gives inside a conditional expression (seen as streams freed under their readers).
no_conditional_awaits() {
  ! grep -rnE --include='*.cc' --include='*.h' '[?:] *co_await\b' service storage metrics
}

# tests/layers_test.sh must complain of each of these, planted into a copy of the tree.
planted_includes() {
  local copy complaint file
  copy=$(mktemp -d) || return 1
  cp -r --parents service storage metrics "$copy"
  while read -r file included; do
    printf '#include "%s"\n' "$included" >"$copy/$file"
    complaint=$(tests/layers_test.sh "$copy") && { echo "$file may include $included, it says"; rm -rf "$copy"; return 1; }
    case $complaint in
      "$file includes $included"*) ;;
      *) echo "another complaint: $complaint"; rm -rf "$copy"; return 1 ;;
    esac
    rm "$copy/$file"
  done <<'HERE'
service/http/planted.h service/relay/stream.h
service/client/planted.cc service/upstream/prompt.h
service/upstream/gemini/planted.cc service/upstream/chat/request.h
service/surface/ui/planted.h service/surface/responses/parts.h
service/text/planted.h service/json/parse.h
storage/planted.cc service/text/ascii.h
HERE
  rm -rf "$copy"
}

# clang-formats differ between versions; the tree is formatted with Debian 12's.
format_check() {
  local version
  version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
  if [ "$version" != 14 ]; then
    echo "clang-format 14 is not here: not checked"
    return 0
  fi
  find service storage metrics tests -name node_modules -prune -o \( -name '*.cc' -o -name '*.h' \) -print0 |
    xargs -0 clang-format --dry-run -Werror 2>&1 | grep -E 'error:' | sed 's/:[0-9]*:[0-9]*: error.*//' | sort | uniq -c
  [ "${PIPESTATUS[1]}" = 0 ]
}

# What changed, and at most as many files as there is time for; tests/long.sh checks them all.
tidy() {
  say "clang-tidy"
  if tests/tidy.sh --changed; then
    echo "passed: clang-tidy"
    passed=$((passed + 1))
  else
    echo "FAILED: clang-tidy (tests/tidy.sh FILE... checks one file)"
    failed=$((failed + 1))
  fi
}

build() {
  local preset=$1 log=build/$1.log start=$SECONDS
  local -a targets=()
  if [ -n "$units" ]; then
    if [ "$units" = 1 ]; then
      mapfile -t targets < <(sed -n 's/^test_layer(\([a-z_]*\) .*/\1/p' tests/CMakeLists.txt)
    else
      read -ra targets <<<"$units"
      targets=("${targets[@]/#/unit_}")
    fi
    targets=(--target "${targets[@]}")
  fi
  say "building $preset"
  mkdir -p build
  if cmake --preset "$preset" >"$log" 2>&1 && cmake --build "build/$preset" "${targets[@]}" >>"$log" 2>&1; then
    echo "passed: build $preset ($((SECONDS - start)) s)"
    passed=$((passed + 1))
    return 0
  fi
  grep -E -A8 'error|FAILED|undefined' "$log" | tail -60
  echo "FAILED: build $preset (all of it: $log)"
  failed=$((failed + 1))
  return 1
}

# Test cases are counted as Catch2 reports them; a program that dies without a report is one that failed.
count_cases() {
  awk '
    function close_program() { if (open && !ok && bad == 0) bad = 1; passed += good; failed += bad; good = bad = 0; open = ok = 0 }
    /^[0-9]+\/[0-9]+ Testing: / { close_program(); open = 1 }
    /^All tests passed \(/ { if (match($0, /in [0-9]+ test case/)) good += substr($0, RSTART + 3, RLENGTH - 13) }
    /^test cases: / {
      n = split($0, part, "|")
      for (i = 2; i <= n; ++i) { split(part[i], word, " "); if (word[2] == "passed") good += word[1]; if (word[2] == "failed") bad += word[1] }
    }
    /^Test Passed\.$/ { ok = 1 }
    END { close_program(); print passed + 0, failed + 0 }' "$1"
}

programs() {
  local preset=$1 only=() counted
  [ -z "$units" ] || only=(-R '^unit_')
  [ -z "$units" ] || [ "$units" = 1 ] || only=(-R "^unit_(${units// /|})\$")
  say "unit and end-to-end tests ($preset)"
  # The kernel may place mappings where ThreadSanitizer cannot have them: -R takes the randomness out.
  local -a run=()
  [ "$preset" != tsan ] || run=(setarch -R)
  export UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS="suppressions=$PWD/tests/support/tsan.supp halt_on_error=1"
  "${run[@]}" ctest --test-dir "build/$preset" -j2 --output-on-failure --no-tests=error "${only[@]}" |
    tee "build/$preset-tests.log"
  local status=${PIPESTATUS[0]} not_run
  not_run=$(grep -c '(Not Run)$' "build/$preset-tests.log")
  counted=$(count_cases "build/$preset/Testing/Temporary/LastTest.log")
  passed=$((passed + ${counted% *}))
  failed=$((failed + ${counted#* } + not_run))
  [ "$status" = 0 ] || [ "${counted#* }" != 0 ] || failed=$((failed + 1))
}

# Node 20 or newer: the system's, or (Debian 12 has 18) one from the npm registry, in build/node.
need_node() {
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    printf 'nodejs\nnpm\n' >build/node-packages.txt
    deploy/install-packages.sh build/node-packages.txt || return 1
  fi
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] && return 0
  [ -x build/node/node_modules/.bin/node ] || npm install --silent --no-save --prefix build/node node@20 || return 1
  PATH=$PWD/build/node/node_modules/.bin:$PATH
}

browsers() {
  local preset=$1 log=build/$1-browser.log
  [ -f tests/browser/package.json ] || return 0
  say "browser and client library tests ($preset)"
  if ! need_node; then
    echo "FAILED: no Node 20"
    failed=$((failed + 1))
    return 1
  fi
  check "npm ci" npm ci --prefix tests/browser --no-audit --no-fund --loglevel=error
  export TOKENRELAY_BINARY=$PWD/build/$preset/tokenrelay
  (cd tests/browser && npm test) >"$log" 2>&1
  local status=$? good bad
  good=$(sed -n 's/^[^a-z]*pass \([0-9]*\)$/\1/p' "$log" | tail -1)
  bad=$(sed -n 's/^[^a-z]*fail \([0-9]*\)$/\1/p' "$log" | tail -1)
  [ $status = 0 ] || cat "$log"
  [ $status = 0 ] || [ "${bad:-0}" != 0 ] || bad=1
  echo "node tests: ${good:-0} passed, ${bad:-0} failed"
  passed=$((passed + ${good:-0}))
  failed=$((failed + ${bad:-0}))
}

# The last line of pytest: "1 failed, 206 passed, 2 errors in 30.86s".
python_clients() {
  local preset=$1 log=build/$1-clients.log
  say "Python clients ($preset)"
  TOKENRELAY_BINARY=$PWD/build/$preset/tokenrelay tests/clients/run.sh >"$log" 2>&1
  local status=$? good bad
  good=$(tail -1 "$log" | grep -oE '[0-9]+ passed' | grep -oE '[0-9]+')
  bad=$(tail -1 "$log" | grep -oE '[0-9]+ (failed|error)' | awk '{ sum += $1 } END { print sum + 0 }')
  [ $status = 0 ] || cat "$log"
  [ $status = 0 ] || [ "$bad" != 0 ] || bad=1
  echo "Python clients: ${good:-0} passed, $bad failed"
  passed=$((passed + ${good:-0}))
  failed=$((failed + bad))
}
