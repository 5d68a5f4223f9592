#!/usr/bin/env bash
# Builds the package and runs its tests on Node 20, 22 and the newest even version: bash bindings/node/test.sh [NODE...]
#
# Fetches what is missing (Node versions, compilers of TypeScript) into target/. With EVENTSOURCE_LIBRARY and
# EVENTSOURCE_TEST_SERVER set, cargo is not called.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

if [ -z "${EVENTSOURCE_TEST_SERVER:-}" ]; then
  (cd "$root" && cargo build -q -p eventsource-test-server)
  export EVENTSOURCE_TEST_SERVER=$target/debug/eventsource-test-server
fi

nodes=("$@")
[ ${#nodes[@]} -gt 0 ] || { list=$(node scripts/nodes.mjs 20 22 newest) && mapfile -t nodes <<<"$list"; } || exit

# The oldest of them builds: the system's own may be older still. Its headers lie beside it, so node-gyp has nothing to download.
prefix=$(dirname "$(dirname "$("${nodes[0]}" -p process.execPath)")")
[ "$(command -v node)" -ef "${nodes[0]}" ] || export PATH=$prefix/bin:$PATH
[ ! -f "$prefix/include/node/node_api.h" ] || export npm_config_nodedir=$prefix

echo "== npm install, which builds the addon"
npm install --no-package-lock --no-audit --no-fund --loglevel=error

tools=$root/target/node-tools
if [ ! -d "$tools/node_modules/@types/node" ] || [ ! -d "$tools/node_modules/typescript5" ]; then
  mkdir -p "$tools"
  echo '{"private": true}' >"$tools/package.json"
  npm install --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error \
    typescript@7 typescript5@npm:typescript@5.9 @types/node@20
fi

first=1
for node in "${nodes[@]}"; do
  echo "== $("$node" --version)"
  files=(test/whatwg.test.mjs test/eventtarget.test.mjs test/message.test.mjs test/options.test.mjs test/control.test.mjs test/iterate.test.mjs test/flow.test.mjs
    test/life.test.mjs test/stress.test.mjs test/pack.test.mjs)
  # The declarations are the same on every Node.
  [ $first = 0 ] || files+=(test/types.test.mjs)
  first=0
  log=$target/node-tests-$("$node" --version).log
  if ! "$node" --test --test-reporter=spec --test-reporter-destination="$log" --test-timeout=400000 "${files[@]}"; then
    # All of it where the runner itself has died.
    if grep -q 'failing tests' "$log"; then sed -n '/failing tests/,$p' "$log"; else cat "$log"; fi
    exit 1
  fi
  grep -E '^ℹ (tests|pass|skipped|duration)' "$log"
done
echo "== all passed on ${#nodes[@]} versions of Node"
