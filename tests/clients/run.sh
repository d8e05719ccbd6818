#!/bin/bash
# Python clients from PyPI, unmodified, against the binary (TOKENRELAY_BINARY, or the release build). Arguments go to
# pytest: `tests/clients/run.sh test_genai.py -k silence`. The packages go into build/clients, once.
set -euo pipefail
cd "$(dirname "$0")"
export PIP_DISABLE_PIP_VERSION_CHECK=1
venv=../../build/clients/$(cat requirements.txt constraints.txt | sha256sum | head -c 12)
if [ ! -e "$venv/complete" ]; then
  rm -rf ../../build/clients
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r requirements.txt -c constraints.txt
  touch "$venv/complete"
fi
[ $# -gt 0 ] || set -- -n 2 --dist loadfile
exec "$venv/bin/python" -m pytest -q --tb=short -p no:cacheprovider "$@"
