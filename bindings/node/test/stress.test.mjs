// The storm of stress.mjs, as the addon is built and, on Linux, under AddressSanitizer and UndefinedBehaviorSanitizer.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { packageRoot, root, run, startServer } from './support.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

test('a storm of sources', async () => {
  const { code, signal, stdout, stderr } = await run(process.execPath, [path.join(packageRoot, 'test/stress.mjs'), server.url, '60'], { timeout: 120000 });
  assert.deepEqual([code, signal, stdout, stderr], [0, null, 'done\n', '']);
});

test('under the sanitizers', { skip: process.platform !== 'linux' && 'they are set up for Linux only' }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'libeventsource-'));
  for (const name of ['lib', 'index.js', 'index.mjs', 'test']) fs.cpSync(path.join(packageRoot, name), path.join(folder, name), { recursive: true });
  const binary = path.join(folder, 'build/Release/eventsource.node');
  fs.mkdirSync(path.dirname(binary), { recursive: true });
  // node-gyp has written down where Node's headers are.
  const { variables } = JSON.parse(fs.readFileSync(path.join(packageRoot, 'build/config.gypi'), 'utf8').replace(/^#.*/, ''));
  const library = process.env.EVENTSOURCE_LIBRARY ?? path.join(process.env.CARGO_TARGET_DIR ?? path.join(root, 'target'), 'release/libeventsource.a');
  const compiled = await run('cc', ['-g', '-O1', '-std=gnu11', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-shared', '-fPIC',
    '-I', path.join(variables.nodedir, 'include/node'), '-I', process.env.EVENTSOURCE_INCLUDE ?? path.join(root, 'include'),
    path.join(packageRoot, 'src/addon.c'), library, '-o', binary, '-Wl,-z,nodelete', '-lpthread', '-ldl', '-lm']);
  assert.equal(compiled.code, 0, compiled.stderr);
  assert.ok(fs.readFileSync(binary).includes('__asan_init'));
  const preload = (await Promise.all(['libasan.so', 'libubsan.so'].map((name) => run('cc', [`-print-file-name=${name}`])))).map(({ stdout }) => stdout.trim());
  // What V8 never frees is not our leak; life.test.mjs counts ours.
  const { code, signal, stdout, stderr } = await run(process.execPath, [path.join(folder, 'test/stress.mjs'), server.url, '60'],
    { timeout: 300000, env: { LD_PRELOAD: preload.join(' '), ASAN_OPTIONS: 'detect_leaks=0' } });
  assert.deepEqual([code, signal, stdout, stderr], [0, null, 'done\n', '']);
  fs.rmSync(folder, { recursive: true });
});
