// What the tests share: the scripted test server, driven over HTTP, and helpers to wait for events.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { after } from 'node:test';
import { EventSource } from '../index.mjs';

export { EventSource };
export const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const packageRoot = path.join(root, 'bindings', 'node');

const program = process.env.EVENTSOURCE_TEST_SERVER ?? path.join(root, 'target', 'debug', 'eventsource-test-server');

/// Starts a test server, which ends with this process at the latest.
export async function startServer(...flags) {
  const child = spawn(program, flags, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const [, url, , control, , ca] = line.split(' ');
  child.stdout.unref();
  child.stdin.unref();
  child.unref();
  // A plain client: what is measured in some tests must not share anything with fetch.
  const agent = new http.Agent({ keepAlive: false });
  const call = (name, body = {}, server = 0) => new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const where = server === null ? `${control}/${name}` : `${control}/${server}/${name}`;
    const request = http.request(where, { method: 'POST', agent, headers: { 'content-length': Buffer.byteLength(text) } });
    request.on('error', reject).on('response', async (response) => {
      let answer = '';
      for await (const piece of response.setEncoding('utf8')) answer += piece;
      if (response.statusCode === 200) resolve(answer === '' ? {} : JSON.parse(answer));
      else reject(new Error(`${name}: ${answer}`));
    });
    request.end(text);
  });
  return {
    url,
    ca,
    call,
    /// A script for a path, or one for each request in turn; the URL to ask.
    async on(where, ...replies) {
      await call('on', { path: where, replies });
      return url + where;
    },
    go: (name) => call('go', { name }),
    told: (name) => call('wait_until_told', { name }),
    requests: () => call('requests'),
    async requestsOf(where, n) {
      for (let all = n; ; all++) {
        const seen = await call('wait_for_requests', { n: all });
        const own = seen.filter(({ target }) => target === where);
        if (own.length >= n) return own;
        all = Math.max(all, seen.length);
      }
    },
    async problems() {
      return await call('problems');
    },
    stop() {
      child.ref();
      child.stdin.end();
      return child.exitCode ?? child.signalCode ?? once(child, 'exit');
    },
  };
}

/// A source that is closed at the end of the test file, whatever happened.
export function open(url, init) {
  const source = new EventSource(url, init);
  opened.add(new WeakRef(source));
  return source;
}

const opened = new Set();
after(() => {
  for (const reference of opened) reference.deref()?.close();
});

/// The next event of this type.
export const next = (source, type) => new Promise((resolve) => source.addEventListener(type, resolve, { once: true }));

/// The next n events of this type. Events that arrive together are dispatched in one turn: `next` twice would miss some.
export const several = (source, type, n) => new Promise((resolve) => {
  const seen = [];
  source.addEventListener(type, function note(event) {
    if (seen.push(event) === n) {
      source.removeEventListener(type, note);
      resolve(seen);
    }
  });
});

/// All events of these types, as they come.
export function record(source, ...types) {
  const seen = [];
  for (const type of types) {
    source.addEventListener(type, (event) => seen.push(event instanceof MessageEvent ? [type, event.data] : [type]));
  }
  return seen;
}

/// Closes and waits until all is over.
export async function finish(source) {
  const closed = next(source, 'close');
  source.close();
  return closed;
}

/// The value of a header in a recorded request, undefined if it was not sent.
export const header = (request, name) =>
  request.headers.find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1];

const group = process.platform !== 'win32';
const running = new Set();
function kill({ pid }) {
  try { process.kill(group ? -pid : pid, 'SIGKILL'); } catch { /* it has just ended */ }
}
// A group of its own is not told when the tests are.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    running.forEach(kill);
    process.kill(process.pid, signal);
  });
}

/// Runs a program in a process of its own; a script that hangs is a failure, and ends with all that it has started.
export async function run(file, args = [], { input = '', env = {}, timeout = 180000, cwd } = {}) {
  const child = spawn(file, args, { env: { ...process.env, NODE_OPTIONS: '', ...env }, cwd, detached: group });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill(child);
  }, timeout);
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdin.on('error', () => {}).end(input); // it may end without reading
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  running.delete(child);
  if (late) throw new Error(`${file} hangs; what it has written:\n${stdout}${stderr}`);
  return { code, signal, stdout, stderr };
}

/// Runs a module in this Node; its text may import `libeventsource`.
export function script(text, args = [], options = {}) {
  const module = text.replaceAll("'libeventsource'", JSON.stringify(new URL('../index.mjs', import.meta.url).href));
  return run(process.execPath, [...(options.flags ?? []), '--input-type=module', '-e', module, ...args], options);
}
