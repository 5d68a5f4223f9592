// The package as it is published: installed into an empty project, without scripts and without a compiler, it works.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { packageRoot, root, run, startServer } from './support.mjs';

const windows = process.platform === 'win32';
const npm = (args, cwd) => run(windows ? 'npm.cmd' : 'npm', args, { cwd, timeout: 180000 });

let server;
let project;
before(async () => {
  server = await startServer();
  project = fs.mkdtempSync(path.join(os.tmpdir(), 'libeventsource-'));
});
after(async () => {
  fs.rmSync(project, { recursive: true });
  await server.stop();
});

const node = (args) => run(process.execPath, args, { cwd: project, env: { NODE_PATH: '' } });

describe('the package', () => {
  let files;

  test('is packed with what it needs and no more', async () => {
    await run(process.execPath, [path.join(packageRoot, 'scripts', 'prebuild.cjs')]);
    // Not the scripts: they would build anew, under the feet of the other tests. test.sh has run them.
    const { code, stdout, stderr } = await npm(['pack', '--ignore-scripts', '--json', '--pack-destination', project], packageRoot);
    assert.equal(code, 0, stderr);
    const described = JSON.parse(stdout);
    const [report] = Array.isArray(described) ? described : Object.values(described);
    files = report.files.map((file) => file.path).sort();
    const binaries = files.filter((file) => file.startsWith('prebuilds/'));
    assert.ok(binaries.length >= 1, String(files));
    assert.ok(binaries.every((file) => /^prebuilds\/[a-z0-9-]+\/eventsource\.node$/.test(file)), String(binaries));
    assert.deepEqual(files.filter((file) => !binaries.includes(file)), [
      'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'index.d.mts', 'index.d.ts', 'index.js', 'index.mjs',
      'lib/events.js', 'lib/headers.js', 'lib/loops.js', 'lib/message.js', 'lib/native.js', 'lib/options.js', 'lib/source.js',
      'package.json',
    ]);
  });

  test('has no install scripts and no dependencies', () => {
    const { scripts, dependencies, optionalDependencies, version, gypfile } = JSON.parse(fs.readFileSync(path.join(packageRoot, 'package.json'), 'utf8'));
    for (const name of ['preinstall', 'install', 'postinstall']) assert.equal(scripts[name], undefined, name);
    assert.equal(gypfile, false); // else npm would run node-gyp
    assert.deepEqual([dependencies, optionalDependencies], [undefined, undefined]);
    assert.match(fs.readFileSync(path.join(root, 'Cargo.toml'), 'utf8'), new RegExp(`^version = "${version}"`, 'm'));
  });

  test('installs into an empty project', async () => {
    fs.writeFileSync(path.join(project, 'package.json'), '{"private": true}');
    const [tarball] = fs.readdirSync(project).filter((name) => name.endsWith('.tgz'));
    const { code, stderr } = await npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', `./${tarball}`], project);
    assert.equal(code, 0, stderr);
    assert.ok(!fs.existsSync(path.join(project, 'node_modules/libeventsource/build')));
  });

  test('works there as a module', async () => {
    const url = await server.on('/installed', ['sse', { body: 'data: hello\n\n' }, 'stall']);
    fs.writeFileSync(path.join(project, 'main.mjs'), `
      import { EventSource } from 'libeventsource';
      const source = new EventSource(process.argv[2]);
      source.addEventListener('message', (event) => { console.log(event.data); source.close(); });`);
    fs.writeFileSync(path.join(project, 'main.cjs'), `
      const { EventSource } = require('libeventsource');
      const source = new EventSource(process.argv[2]);
      source.addEventListener('message', (event) => { console.log(event.data); source.close(); });`);
    for (const file of ['main.mjs', 'main.cjs']) {
      const { code, stdout, stderr } = await node([file, url]);
      assert.deepEqual([code, stdout, stderr], [0, 'hello\n', ''], file);
    }
  });

  test('says what is missing where there is no binary that loads', async () => {
    const folder = path.join(project, 'node_modules/libeventsource/prebuilds');
    fs.renameSync(folder, `${folder}-away`);
    const { code, stderr } = await node(['main.cjs', 'http://127.0.0.1:1/']);
    fs.renameSync(`${folder}-away`, folder);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`there is no binary for ${process.platform}-${process.arch} that loads`));
  });
});

describe('examples/tail.mjs', () => {
  before(() => fs.copyFileSync(path.join(root, 'examples/tail.mjs'), path.join(project, 'tail.mjs')));

  test('prints events until the server ends the stream', async () => {
    const url = await server.on('/tail', ['sse', { body: 'id: 1\ndata: a\n\nevent: add\ndata: b\n\n' }, 'fin'], [{ head: { status: 204 } }]);
    const { code, stdout, stderr } = await node(['tail.mjs', '-H', 'X-A: b: c', url]);
    assert.deepEqual([code, stdout, stderr], [0, 'message: a\nadd: b\n', '']);
    const requests = await server.requestsOf('/tail', 2);
    assert.deepEqual(requests[1].headers.filter(([name]) => /^(x-a|last-event-id)$/i.test(name)).map(([, value]) => value).sort(), ['1', 'b: c']);
  });

  test('-v, -X, -d', async () => {
    const url = await server.on('/tail-post', [{ sse: { framing: 'chunked' } }, { body: ': hm\nevent: error\ndata: a\n\n' }, 'end']);
    const { code, stdout, stderr } = await node(['tail.mjs', '-v', '-X', 'REPORT', '-d', 'body', url]);
    assert.deepEqual([code, stdout], [0, 'error: a\n']);
    const [close, ...lines] = stderr.trim().split('\n').reverse();
    assert.deepEqual(lines, [': hm', `* open ${url}`, `* connect ${url}`]);
    assert.match(close, /^\* close: /);
    const [request] = await server.requestsOf('/tail-post', 1);
    assert.deepEqual([request.method, request.body], ['REPORT', 'body']);
  });

  test('-v tells what happens between events, as the other tails do', async () => {
    const body = 'retry: 1\n\n: hello\nid: 7\ndata: a\ndata: b\n\nevent: tick\ndata: c\n\n';
    const url = await server.on('/tail-v', ['sse', { body }, 'fin'], [{ head: { status: 204 } }]);
    const { code, stdout, stderr } = await node(['tail.mjs', '-v', '-H', 'X-One: 1', url]);
    assert.deepEqual([code, stdout], [0, 'message: a\nb\ntick: c\n']);
    const lines = stderr.trim().split('\n');
    assert.deepEqual(lines.slice(0, 3), [`* connect ${url}`, `* open ${url}`, ': hello']);
    assert.match(lines[3], /^\* error: .* ms$/);
    assert.equal(lines[4], `* connect ${url} after 7`);
    assert.match(lines[5], /^\* close: /);
    assert.equal(lines.length, 6);
    for (const request of await server.requestsOf('/tail-v', 2)) assert.ok(request.headers.some(([name, value]) => /^x-one$/i.test(name) && value === '1'));
  });

  test('exit status 1 for a stream that fails for good, 2 for wrong usage', async () => {
    const url = await server.on('/tail-404', [{ head: { status: 404, length: 0 } }]);
    assert.equal((await node(['tail.mjs', url])).code, 1);
    for (const args of [[], ['nonsense'], ['-Z', url], ['-H', 'nonsense', url], ['-v', '-H', 'a b: c', url], [url, url]]) assert.equal((await node(['tail.mjs', ...args])).code, 2, String(args));
  });

  test('Ctrl-C ends it with status 0', { skip: windows && 'there are no signals' }, async () => {
    const url = await server.on('/tail-int', ['sse', { body: 'data: a\n\n' }, 'stall']);
    const { code, stdout } = await run('sh', ['-c', '"$0" tail.mjs "$1" > out & while ! grep -q a out; do sleep 0.05; done; kill -INT $!; wait $!; echo $?; cat out', process.execPath, url], { cwd: project });
    assert.deepEqual([code, stdout], [0, '0\nmessage: a\n']);
  });

  test('nobody reads: it ends, and that is no failure', { skip: windows && 'there are no pipes of this kind' }, async () => {
    const command = '{ "$0" tail.mjs "$1"; echo "status $?" >&2; } | head -n 3';
    for (const size of [20, 100, 100000]) {
      const { stdout, stderr } = await run('sh', ['-c', command, process.execPath, `${server.url}/flood?size=${size}`], { cwd: project });
      assert.equal(stdout.split('\n').length, 4);
      assert.match(stderr, /^status 0$/m);
      assert.doesNotMatch(stderr, /^tail:/m);
    }
  });
});
