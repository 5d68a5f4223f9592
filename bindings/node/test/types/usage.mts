import { EventSource } from 'libeventsource';
import type { EventSourceInit, ErrorCode, HeaderFunction, SourceErrorEvent, ServerSentEvent } from 'libeventsource';

const init: EventSourceInit = {
  withCredentials: false,
  headers: { 'X-A': 'a', 'X-N': 1, 'X-U': undefined },
  secretHeaders: async ({ url, lastEventId, signal }) => {
    const about: string = url + lastEventId;
    const aborted: boolean = signal.aborted;
    return new Headers({ about, aborted: `${aborted}` });
  },
  method: 'POST',
  body: Buffer.from('x'),
  lastEventId: '1',
  retry: { first: 1, max: 2, retries: Infinity },
  reconnect: 'always',
  standardStatus: true,
  connectTimeout: 1,
  responseTimeout: 1,
  idleTimeout: 1,
  keepAlive: 1,
  maxEventSize: 1,
  compression: true,
  httpsOnly: true,
  proxy: new URL('http://127.0.0.1'),
  tls: { ca: 'pem', onlyCa: ['pem', Buffer.from('pem')], cert: 'pem', key: 'pem', pins: ['x'] },
};
const source = new EventSource(new URL('http://127.0.0.1/'), init);
new EventSource('http://127.0.0.1/', { headers: [['a', 'b']], body: 'x' });
new EventSource('http://127.0.0.1/', { headers: () => undefined, body: new Uint8Array(1) });
new EventSource('http://127.0.0.1/', { headers: new Headers(), proxy: 'env' });

const state: 0 | 1 | 2 = source.readyState;
const constant: 1 = EventSource.OPEN;
const text: string = source.url;
const target: EventTarget = source;

source.onopen = (event) => { const type: string = event.type; };
source.onmessage = function (event) {
  const data: string = event.data;
  const id: string = event.lastEventId;
  const origin: string = event.origin;
  this.close();
};
source.onerror = (event) => {
  const code: ErrorCode = event.code;
  const wait: number = event.retryIn;
  const why: string | null = event.headers.get('retry-after');
  const answered: boolean = source.retry(wait);
};
source.onclose = (event) => { const code: ErrorCode = event.code; };
source.onerror = null;
source.onerror = function (event) { this.retry(event.retryIn); };
source.onmessage = function (this: EventSource, event) { this.pause(); };
const silent: HeaderFunction = ({ url }) => { console.log(url); };
const slow: HeaderFunction = async () => {};
new EventSource('http://127.0.0.1/', { headers: [['a', 1], ['b', undefined]], secretHeaders: () => null, tls: { cert: ['pem'], key: ['pem'] } });
source.setHeader('a', undefined, null);

source.addEventListener('open', () => {});
source.addEventListener('message', (event) => { const data: string = event.data; }, { once: true });
source.addEventListener('error', (event) => { const body: string = event.body; }, { signal: new AbortController().signal });
source.addEventListener('close', { handleEvent(event) { const status: number = event.status; } });
source.addEventListener('comment', (event) => { const data: string = event.data; });
source.addEventListener('any name', (event) => { const data: string = event.data; }, true);
const own = (event: ServerSentEvent) => {};
const failed = (event: SourceErrorEvent) => {};
const any = (event: Event) => {};
source.addEventListener('any name', own);
source.addEventListener('any name', any);
source.addEventListener('error', failed);
source.removeEventListener('error', failed);
source.removeEventListener('any name', own);

for await (const event of source) { const data: string = event.data; }
source.pause();
source.resume();
source.reconnect();
source.setHeader('a', 'b', { secret: true });
source.setHeader('a', null);
const same: EventSource = source.unref().ref();

class Mine extends EventSource {
  constructor() { super('http://127.0.0.1/'); }
}
export { state, constant, text, target, same, silent, slow, Mine };
