#!/bin/bash
# What the tree's documents and comments may rely on. Prints each line that is wrong, and how.
#   - nothing cites a document that is not in the tree
#   - a heading that is cited ("DIALECTS.md, Gemini: finish reasons") is there, and so is a test case that a document
#     names in a line "Tests: `…`"
#   - every file that README names under "The path of a token" is there
#   - no line of a document is over 120 columns, but for tables, addresses and code; no comment of the code is
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8  # columns are characters, not bytes

wrong=0
complain() {
  wrong=1
  printf '%s\n' "$@"
}

files() { find . \( -name .git -o -name node_modules -o -name build -o -name corpus \) -prune -o -type f "$@" -print; }
documents() { files -name '*.md' | sort; }

# Pages that lay beside the project while it was written. The brackets keep this file from naming them.
outside='(^|[^A-Za-z0-9_])(CONTRAC[T]|REVIE[W]|WIR[E])([^A-Za-z0-9_]|$)|\.\./share[d]'

check_citations() {
  local name
  {
    files | xargs -d '\n' grep -InE "$outside"
    files | xargs -d '\n' grep -IhoE '[A-Za-z][A-Za-z0-9_-]*\.md([^A-Za-z0-9]|$)' | grep -oE '^[A-Za-z0-9_-]*\.md' |
      sort -u | while IFS= read -r name; do
      [ -n "$(files -name "$name" | head -1)" ] || files | xargs -d '\n' grep -InwF "$name"
    done
  } | sort -u >"$scratch"
  [ ! -s "$scratch" ] || complain "cited and not in the tree: cite what is, or say the thing" "$(cat "$scratch")"
}

# The headings of a document, as they are cited: "Gemini", and "Gemini: finish reasons" for what stands under it.
headings() {
  awk '/^```/ { code = !code }
    !code && /^###? / {
      deep = ($1 == "###"); sub(/^#+ /, ""); sub(/^[0-9.]+ /, "")
      if (deep) print top ": " $0; else print top = $0
    }' "$1"
}

# Comments on one line, so that a citation may go over two. It ends at a parenthesis, a quote or the sentence's end.
citations_of() {
  files | xargs -d '\n' grep -IlF "$1, " | while IFS= read -r file; do
    sed -E 's,^[[:space:]]*(//|#)[[:space:]]?,,' "$file" | tr '\n' ' ' | grep -oE "$1, [A-Z][^].;()\"]+" |
      sed "s|^|$file: |"
  done
}

check_headings() {
  local document cited name
  for document in $(documents); do
    name=$(basename "$document")
    citations_of "$name" | sort -u | while IFS= read -r cited; do
      headings "$document" | grep -qixF -- "${cited#*"$name, "}" || echo "$cited"
    done
  done >"$scratch"
  [ ! -s "$scratch" ] || complain "no heading is called like this in the document that is cited" "$(cat "$scratch")"
}

check_cases() {
  local name
  documents | xargs grep -h '^Tests: ' | grep -oE '`[^`]*`' | tr -d '`' | sort -u |
    while IFS= read -r name; do
      grep -rqF --include='*.cc' --include='*.mjs' --exclude-dir=node_modules -e "\"$name\"" -e "'$name'" tests ||
        grep -rqF --include='*.py' -e "def $name(" tests || documents | xargs grep -nF "\`$name\`"
    done >"$scratch"
  [ ! -s "$scratch" ] || complain "no test case has the name that is given here" "$(cat "$scratch")"
}

check_path_of_a_token() {
  local named name
  if ! headings README.md | grep -qxE '(.*: )?The path of a token'; then
    complain 'README.md has no heading "The path of a token"'
    return
  fi
  named=$(awk '/^```/ { code = !code } !code && /^#/ { inside = /^#+ The path of a token$/ } inside' README.md |
    grep -oE '`[^` ]+`' | tr -d '`' | grep -E '/|\.(cc|h|js|mjs|sh|md|toml)$')
  [ -n "$named" ] || complain 'README.md names no file under "The path of a token"'
  for name in $named; do
    [ -e "$name" ] || complain "README.md names $name under \"The path of a token\", and it is not in the tree"
  done
}

# Blocks of code show what goes over the wire, which has lines of its own. A long address cannot be folded.
check_columns() {
  local document long
  for document in $(documents); do
    long=$(awk '/^```/ { code = !code } { print code || /^ *\|/ ? "" : $0 }' "$document" |
      sed -E 's,https?://[^ )>]*,,g; s,\]\([^)]*\),](),g' | grep -nE '^.{121,}' | cut -d: -f1 | tr '\n' ' ')
    [ -z "$long" ] || complain "$document: over 120 columns: lines $long"
  done
  # clang-format leaves comments as they are.
  files \( -name '*.h' -o -name '*.cc' \) | xargs grep -nE '^ *//.{119,}' | grep -E ':[0-9]+:.{121,}' >"$scratch" &&
    complain "comments over 120 columns" "$(cut -c1-120 "$scratch")"
}

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
check_citations
check_headings
check_cases
check_path_of_a_token
check_columns
exit $wrong
