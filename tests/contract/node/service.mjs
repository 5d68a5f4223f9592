// The Node class as a test service of the SSE contract tests: node service.mjs PORT

import http from 'node:http';
import { EventSource } from '../../../bindings/node/index.mjs';

const CAPABILITIES = ['bom', 'comments', 'event-type-listeners', 'headers', 'last-event-id', 'post', 'read-timeout', 'report', 'restart',
  'server-directed-shutdown-request'];

// A connection for each callback: one that is kept may be closed by the other side while we write to it.
const agent = new http.Agent({ keepAlive: false });
const streams = new Map();
let made = 0;

// One stream: its events become callbacks, numbered and sent one after the other.
class Stream {
  #source;
  #callbackUrl;
  #sent = 0;
  #last = Promise.resolve();
  #types = new Set();

  constructor({ streamUrl, callbackUrl, initialDelayMs, readTimeoutMs, lastEventId, headers, method, body }) {
    this.#callbackUrl = callbackUrl;
    this.#source = new EventSource(streamUrl, {
      headers: headers ?? {},
      method: method ?? undefined,
      body: body ?? undefined,
      lastEventId: lastEventId ?? undefined,
      idleTimeout: readTimeoutMs ?? undefined,
      retry: { first: initialDelayMs ?? undefined },
      // The tests expect of every method what they expect of GET.
      reconnect: 'always',
    });
    this.listen('message');
    this.#source.addEventListener('comment', (event) => {
      if (!(event instanceof MessageEvent)) this.#tell({ kind: 'comment', comment: event.data });
    });
    this.#source.addEventListener('error', (event) => {
      if (!(event instanceof MessageEvent)) this.#tell({ kind: 'error', error: event.message });
    });
  }

  listen(type) {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    this.#source.addEventListener(type, (event) => {
      const { data, lastEventId } = event;
      if (event instanceof MessageEvent) this.#tell({ kind: 'event', event: { type, data, id: lastEventId } });
    });
  }

  restart() { this.#source.reconnect(); }

  close() {
    this.#source.close();
    this.#callbackUrl = null;
  }

  #tell(what) {
    const body = JSON.stringify(what);
    this.#last = this.#last.then(() => new Promise((resolve) => {
      if (this.#callbackUrl === null) return resolve();
      const request = http.request(`${this.#callbackUrl}/${++this.#sent}`, { method: 'POST', agent, headers: { 'Content-Type': 'application/json' } });
      request.on('response', (response) => response.resume().on('close', resolve));
      request.on('error', (error) => {
        console.error(`callback: ${error.message}`);
        resolve();
      });
      request.end(body);
    }));
  }
}

async function answer(request) {
  const path = new URL(request.url, 'http://localhost').pathname;
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece;
  if (path === '/') {
    if (request.method === 'GET') return [200, { name: 'libeventsource-node', capabilities: CAPABILITIES }];
    if (request.method === 'DELETE') return [200];
    if (request.method !== 'POST') return [405];
    const where = `/streams/${++made}`;
    streams.set(where, new Stream(JSON.parse(text)));
    return [201, undefined, { Location: where }];
  }
  const stream = streams.get(path);
  if (stream === undefined) return [404];
  if (request.method === 'DELETE') {
    stream.close();
    streams.delete(path);
    return [204];
  }
  if (request.method !== 'POST') return [405];
  const { command, listen } = JSON.parse(text);
  if (command === 'listen' && typeof listen?.type === 'string') stream.listen(listen.type);
  else if (command === 'restart') stream.restart();
  else return [400];
  return [202];
}

http.createServer(async (request, response) => {
  const [status, body, headers] = await answer(request).catch((error) => [400, { error: String(error) }]);
  const text = body === undefined ? '' : JSON.stringify(body);
  if (request.method === 'DELETE' && request.url === '/') response.on('finish', () => process.exit(0));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers }).end(text);
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log(`listening on ${process.argv[2]}`));
