// The Node class beside other clients, in one run: node tests/bench/node/bench.mjs [--quick] [NODE...]
//
// NODE are node programs; without any, Node 20 and 22 as bindings/node/scripts/nodes.mjs gets them. Wants the addon built
// (`npm install` in bindings/node) and cargo for the test server. Each measurement has a process of its own; the clients
// take turns, round after round, and the table shows medians. CPU includes the library's own thread.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '../../..');
const target = path.join(root, 'target');
const peers = path.join(target, 'bench-node');

const quick = process.argv.includes('--quick');
const rounds = quick ? 1 : 3;
const CLIENTS = ['libeventsource', 'eventsource4', 'eventsource5', 'undici', 'http.get'];
const SCENARIOS = [
  ['100 bytes', 'flood', '/flood?size=100'],
  ['1,000 bytes', 'flood', '/flood?size=1000'],
  ['each ms', 'latency', '/ticks?ms=1&count=3100'],
  ['500 a second', 'trickle', '/ticks?ms=2&count=5800'],
  ['blocked', 'blocked', '/late'],
  ['idle', 'idle', '/idle'],
];

function run(...command) {
  const { status } = spawnSync(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'], cwd: root });
  if (status !== 0) process.exit(1);
}

function nodes() {
  const given = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  if (given.length > 0) return given;
  const { stdout } = spawnSync(process.execPath, [path.join(root, 'bindings/node/scripts/nodes.mjs'), '20', '22'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return stdout.trim().split('\n');
}

function installPeers() {
  fs.mkdirSync(peers, { recursive: true });
  const wanted = fs.readFileSync(path.join(here, 'package.json'), 'utf8');
  const file = path.join(peers, 'package.json');
  if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === wanted && fs.existsSync(path.join(peers, 'node_modules'))) return;
  fs.writeFileSync(file, wanted);
  run('npm', 'install', '--prefix', peers, '--ignore-scripts', '--no-audit', '--no-fund', '--silent');
}

async function startServer() {
  run('cargo', 'build', '--release', '-q', '-p', 'eventsource-test-server');
  const child = spawn(path.join(process.env.CARGO_TARGET_DIR ?? target, 'release', 'eventsource-test-server'), { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const [, url, , control] = line.split(' ');
  // One event, to know that all is set up, and silence; or silence for a moment, and then 80 MB at once.
  const first = ['sse', { body: 'data: x\n\n' }];
  const many = { body: { repeat: `data: ${'x'.repeat(3992)}\n\n`, times: 20000 } };
  for (const script of [{ path: '/idle', steps: [...first, 'stall'] }, { path: '/late', steps: [...first, { pause_ms: 500 }, many, 'stall'] }]) {
    const answer = await fetch(`${control}/0/on`, { method: 'POST', body: JSON.stringify(script) });
    if (!answer.ok) throw new Error(await answer.text());
  }
  return { url, stop: () => child.stdin.end() };
}

async function measure(node, client, scenario, url) {
  const child = spawn(node, ['--expose-gc', '--no-warnings', path.join(here, 'client.mjs'), client, scenario, url],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PEERS: path.join(peers, 'package.json') }, timeout: 60000 });
  let text = '';
  for await (const piece of child.stdout.setEncoding('utf8')) text += piece;
  return text === '' ? null : JSON.parse(text);
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

installPeers();
const server = await startServer();
for (const node of nodes()) {
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const table = new Map(CLIENTS.map((client) => [client, {}]));
  for (let round = 0; round < rounds; round++) {
    for (const [title, scenario, where] of SCENARIOS) {
      for (const client of CLIENTS) {
        if (client === 'http.get' && (scenario === 'idle' || scenario === 'blocked')) continue;
        if (process.stderr.isTTY) process.stderr.write(`\r${version} round ${round + 1}: ${title}, ${client}      `);
        const result = await measure(node, client, scenario, server.url + where);
        for (const [name, value] of Object.entries(result ?? {})) ((table.get(client)[`${title} ${name}`] ??= [])).push(value);
      }
    }
  }
  const columns = [
    ['100 B, M events/s', '100 bytes rate', 2], ['CPU s a million', '100 bytes cpu', 2], ['1,000 B, M events/s', '1,000 bytes rate', 2],
    ['CPU s a million', '1,000 bytes cpu', 2], ['latency p50 µs', 'each ms p50', 0], ['p99 µs', 'each ms p99', 0],
    ['CPU s, 5,000 events in 10 s', '500 a second cpu', 2], ['memory in a flood, MB', '100 bytes rss', 0], ['KB over idle, blocked for 5 s', 'blocked kilobytes', 0],
    ['KB an idle source', 'idle kilobytes', 0],
  ];
  console.log(`\nNode ${version}, medians of ${rounds}\n`);
  console.log(`| client | ${columns.map(([title]) => title).join(' | ')} |`);
  console.log(`|---|${columns.map(() => '---:').join('|')}|`);
  for (const [client, values] of table)
    console.log(`| ${client} | ${columns.map(([, name, digits]) => (values[name] ? median(values[name]).toFixed(digits) : '')).join(' | ')} |`);
  const [own, ...others] = ['libeventsource', 'eventsource4', 'eventsource5', 'undici'].map((client) => table.get(client));
  const ratio = (name, pick) => {
    const all = others.map((values) => values[name] && median(values[name])).filter(Boolean);
    return own[name] && all.length > 0 ? (median(own[name]) / pick(...all)).toFixed(2) : '?';
  };
  console.log(`\nAgainst the best of the others: ${ratio('100 bytes rate', Math.max)} × the events of 100 bytes at ${ratio('100 bytes cpu', Math.min)} of the CPU each; `
    + `${ratio('1,000 bytes rate', Math.max)} × those of 1,000 bytes at ${ratio('1,000 bytes cpu', Math.min)}.`);
}
server.stop();
