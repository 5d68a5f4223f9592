// index.d.ts under tsc --strict, and every program of the README: checked, and the first one run.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { packageRoot, root, run, script, startServer } from './support.mjs';

const tools = path.join(root, 'target', 'node-tools');
const readme = fs.readFileSync(path.join(packageRoot, 'README.md'), 'utf8');
const programs = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);

let folder;
before(async () => {
  folder = fs.mkdtempSync(path.join(tools, 'types-'));
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(packageRoot, path.join(folder, 'node_modules', 'libeventsource'), 'junction');
  programs.forEach((text, i) => fs.writeFileSync(path.join(folder, `readme-${i}.mts`), text));
  for (const name of ['usage.mts', 'usage.cts', 'dom.mts', 'wrong.mts']) fs.copyFileSync(path.join(packageRoot, 'test', 'types', name), path.join(folder, name));
});
after(() => fs.rmSync(folder, { recursive: true }));

async function tsc(compiler, files, ...options) {
  const program = path.join(tools, 'node_modules', compiler, 'bin', 'tsc');
  return await run(process.execPath, [program, '--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', ...options, ...files], { cwd: folder, timeout: 300000 });
}

describe('types', () => {
  const plain = ['usage.mts', 'usage.cts', ...programs.map((_, i) => `readme-${i}.mts`)];
  for (const compiler of ['typescript', 'typescript5']) {
    for (const [name, files, options] of [
      ['with the types of Node', plain, ['--lib', 'es2023', '--types', 'node']],
      ['with lib.dom', [...plain, 'dom.mts'], ['--lib', 'es2023,dom,dom.iterable', '--types', 'node']],
      ['exactOptionalPropertyTypes and its like', plain,
        ['--lib', 'es2023', '--types', 'node', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noPropertyAccessFromIndexSignature']],
    ]) {
      test(`${compiler}: ${name}`, async () => {
        const { code, stdout, stderr } = await tsc(compiler, files, ...options);
        assert.equal(stdout + stderr, '');
        assert.equal(code, 0);
      });
    }

    test(`${compiler}: wrong programs are refused`, async () => {
      const { code, stdout } = await tsc(compiler, ['wrong.mts'], '--lib', 'es2023', '--types', 'node');
      assert.notEqual(code, 0);
      const lines = fs.readFileSync(path.join(folder, 'wrong.mts'), 'utf8').split('\n');
      const wrong = lines.flatMap((line, i) => (line.includes('// wrong') ? [i + 1] : []));
      const refused = [...stdout.matchAll(/wrong\.mts\((\d+),/g)].map(([, line]) => Number(line));
      assert.deepEqual([...new Set(refused)].sort((a, b) => a - b), wrong);
    });
  }
});

test('the first program of the README runs', async () => {
  const server = await startServer();
  const url = await server.on('/events', ['sse', { body: 'data: hello\n\n' }, 'stall']);
  assert.equal(programs.length, 3);
  const { code, stdout, stderr } = await script(programs[0].replace('https://example.com/events', url));
  assert.deepEqual([code, stdout, stderr], [0, 'open 1\nmessage hello\nclose 2\n', '']);
  await server.stop();
});

test('the other programs of the README run', async () => {
  const server = await startServer();
  const messages = await server.on('/v1/messages', [{ sse: { framing: 'chunked' } }, { body: 'data: Hel\n\ndata: lo\n\ndata: [DONE]\n\ndata: no\n\n' }, 'end']);
  const chat = await script(programs[1].replace('https://example.com/v1/messages', messages));
  assert.deepEqual([chat.code, chat.stdout, chat.stderr], [0, 'Hello', '']);
  const [request] = await server.requestsOf('/v1/messages', 1);
  assert.deepEqual([request.method, request.body], ['POST', '{"prompt":"Hello"}']);

  const events = await server.on('/events', [{ head: { status: 401, length: 0 } }], [{ head: { status: 204 } }]);
  const token = await script(programs[2].replace('https://example.com/events', events));
  assert.deepEqual([token.code, token.stdout, token.stderr], [0, 'ENDED\n', '']);
  const requests = await server.requestsOf('/events', 2);
  assert.ok(requests.every(({ headers }) => headers.some(([, value]) => value === 'Bearer token')));
  await server.stop();
});

test('the README and the declarations name every option', async () => {
  const declarations = fs.readFileSync(path.join(packageRoot, 'index.d.ts'), 'utf8');
  const options = fs.readFileSync(path.join(packageRoot, 'lib', 'options.js'), 'utf8');
  const known = /const KNOWN = \{(.*?)^\};/ms.exec(options)[1];
  const names = [...known.matchAll(/^ {2}(\w+)(?::|\()/gm)].map(([, name]) => name);
  assert.ok(names.length > 15, String(names));
  const table = readme.slice(readme.indexOf('## Options'));
  for (const name of names) {
    assert.ok(table.includes(`\`${name}\``), `README: ${name}`);
    assert.match(declarations, new RegExp(`^ {2}${name}\\?:`, 'm'), `index.d.ts: ${name}`);
  }
});
