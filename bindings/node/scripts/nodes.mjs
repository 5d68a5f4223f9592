// Prints the paths of node programs, one a line, for each version asked for: a major version, or `newest`, the newest
// even one. The running Node serves for its own major version; others come from the registry and stay in target/nodes.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../target/nodes');
const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
const file = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node';
const own = process.versions.node.split('.')[0];

let known;
/// All versions that the registry has, highest first.
function versions() {
  if (known !== undefined) return known;
  const { stdout, status } = spawnSync('npm', ['view', name, 'versions', '--json'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error(`npm has no list of ${name}`);
  const parts = (version) => version.split('.').map(Number);
  known = JSON.parse(stdout)
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version))
    .sort((a, b) => parts(b).reduce((order, part, i) => order || part - parts(a)[i], 0));
  return known;
}

function get(wanted) {
  if (wanted === own) return process.execPath;
  // What is there already serves: a test does not ask the registry each time.
  const marker = path.join(cache, wanted, 'node_modules', name, file);
  if (spawnSync(marker, ['--version']).status !== 0) {
    const version = versions().find((one) => (wanted === 'newest' ? Number(one.split('.')[0]) % 2 === 0 : one.startsWith(`${wanted}.`)));
    if (version === undefined) throw new Error(`there is no Node ${wanted}`);
    fs.mkdirSync(path.join(cache, wanted), { recursive: true });
    fs.writeFileSync(path.join(cache, wanted, 'package.json'), '{"private": true}');
    const { status } = spawnSync('npm', ['install', '--prefix', path.join(cache, wanted), '--no-audit', '--no-fund', '--silent', `${name}@${version}`],
      { stdio: ['ignore', 2, 'inherit'] });
    if (status !== 0) throw new Error(`npm cannot install ${name}@${version}`);
  }
  return marker;
}

for (const wanted of process.argv.slice(2)) console.log(get(wanted));
