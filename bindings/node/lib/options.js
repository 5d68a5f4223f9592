'use strict';
// Checks options and turns them into the setter calls of the library: [name, value, value?], see SETTERS in addon.c.

const RECONNECT = { auto: 0, always: 1, never: 2 };

const wrong = (name, what) => new TypeError(`EventSource: option '${name}' ${what}`);

const isBytes = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer || isShared(value);
const isShared = (value) => typeof SharedArrayBuffer === 'function' && value instanceof SharedArrayBuffer;

function bytes(name, value) {
  if (typeof value === 'string') return Buffer.from(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (isBytes(value)) return new Uint8Array(value);
  throw wrong(name, 'must be a string, a Buffer or another view of bytes');
}

function text(name, value) {
  if (typeof value !== 'string') throw wrong(name, 'must be a string');
  return value;
}

function flag(name, value) {
  if (typeof value !== 'boolean') throw wrong(name, 'must be a boolean');
  return value;
}

function number(name, value, least, what) {
  if (typeof value !== 'number' || !(value >= least) || value > Number.MAX_SAFE_INTEGER) throw wrong(name, what);
  return Math.ceil(value);
}

const milliseconds = (name, value) => number(name, value, 0, 'must be a number of milliseconds, 0 or more');

function record(name, value, known) {
  if (value === null || typeof value !== 'object' || isBytes(value) || Array.isArray(value)) throw wrong(name, 'must be an object');
  const prefix = name === 'init' ? '' : `${name}.`;
  for (const key of Object.keys(value))
    if (!known.includes(key)) throw wrong(prefix + key, 'is unknown');
  return value;
}

/// [name, value] pairs of an object, a Headers or another iterable of pairs. An undefined value counts as absent.
function headerPairs(name, value) {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object') throw wrong(name, 'must be an object, a Headers, or a function that gives one');
  const pairs = [];
  for (const pair of typeof value[Symbol.iterator] === 'function' ? value : Object.entries(value)) {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrong(name, 'must be made of [name, value] pairs');
    const [header, content] = pair;
    if (content === undefined) continue;
    if (typeof header !== 'string' || (typeof content !== 'string' && typeof content !== 'number'))
      throw wrong(name, `must have a string as the value of '${String(header)}'`);
    pairs.push([header, String(content)]);
  }
  return pairs;
}

const KNOWN = {
  withCredentials: () => {},
  headers: headers,
  secretHeaders: headers,
  method: (name, value, out) => out.set(name, text(name, value)),
  body: (name, value, out) => out.set(name, bytes(name, value)),
  lastEventId: (name, value, out) => out.set(name, text(name, value)),
  connectTimeout: (name, value, out) => out.set(name, (out.connectTimeout = milliseconds(name, value))),
  responseTimeout: (name, value, out) => out.set(name, milliseconds(name, value)),
  idleTimeout: (name, value, out) => out.set(name, milliseconds(name, value)),
  keepAlive: (name, value, out) => out.set(name, milliseconds(name, value)),
  retry(name, value, out) {
    const { first = 1000, max = 30000, retries } = record(name, value, ['first', 'max', 'retries']);
    out.set(name, milliseconds('retry.first', first), milliseconds('retry.max', max));
    if (retries !== undefined && retries !== Infinity)
      out.set('retry.retries', number('retry.retries', retries, 0, 'must be a number, 0 or more, or Infinity'));
  },
  reconnect(name, value, out) {
    if (!Object.hasOwn(RECONNECT, value)) throw wrong(name, "must be 'auto', 'always' or 'never'");
    out.set(name, RECONNECT[value]);
  },
  standardStatus: (name, value, out) => out.set(name, flag(name, value)),
  maxEventSize: (name, value, out) => out.set(name, number(name, value, 1, 'must be a number of bytes above 0')),
  compression: (name, value, out) => out.set(name, flag(name, value)),
  httpsOnly: (name, value, out) => out.set(name, flag(name, value)),
  proxy(name, value, out) {
    if (value === 'env') out.set('proxyFromEnv', true);
    else if (value !== null) out.set(name, value instanceof URL ? value.href : text(name, value));
  },
  tls(name, value, out) {
    const { ca, onlyCa, cert, key, pins } = record(name, value, ['ca', 'onlyCa', 'cert', 'key', 'pins']);
    if (ca !== undefined) for (const pem of [ca].flat()) out.set('tls.ca', bytes('tls.ca', pem));
    if (onlyCa !== undefined) out.set('tls.onlyCa', joined('tls.onlyCa', [onlyCa].flat()));
    if ((cert === undefined) !== (key === undefined)) throw wrong(cert ? 'tls.key' : 'tls.cert', 'is missing');
    if (cert !== undefined) out.set('tls.cert', Buffer.concat([joined('tls.cert', [cert].flat()), joined('tls.key', [key].flat())]));
    if (pins !== undefined) for (const pin of [pins].flat()) out.set('tls.pins', text('tls.pins', pin));
  },
};

function headers(name, value, out) {
  if (typeof value === 'function') out.headerFunctions.push({ name, give: value, secret: name === 'secretHeaders', given: [] });
  else for (const pair of headerPairs(name, value)) out.set(name, ...pair);
}

const joined = (name, pems) => Buffer.concat(pems.flatMap((pem) => [bytes(name, pem), Buffer.from('\n')]));

function read(init) {
  const calls = [];
  const out = { calls, headerFunctions: [], connectTimeout: 10000, withCredentials: false, set: (...call) => calls.push(call) };
  if (init === undefined || init === null) return out;
  if (typeof init === 'function') throw new TypeError('EventSource: the options must be an object');
  record('init', init, Object.keys(KNOWN));
  for (const name of Object.keys(KNOWN)) if (init[name] !== undefined) KNOWN[name](name, init[name], out);
  out.withCredentials = Boolean(init.withCredentials);
  return out;
}

module.exports = { read, headerPairs, milliseconds };
