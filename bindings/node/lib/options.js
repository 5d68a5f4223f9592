'use strict';
// Checks options and turns them into the setter calls of the library: [name, value, value?], see SETTERS in addon.c.

const { constants } = require('node:buffer');
const { isAnyArrayBuffer } = require('node:util/types');

const RECONNECT = { auto: 0, always: 1, never: 2 };

const wrong = (name, what) => new TypeError(`EventSource: option '${name}' ${what}`);

const isBytes = (value) => ArrayBuffer.isView(value) || isAnyArrayBuffer(value); // of whatever realm

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
  withCredentials(name, value, out) { out.withCredentials = Boolean(value); },
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
    const { first, max = 30000, retries } = record(name, value, ['first', 'max', 'retries']);
    const longest = milliseconds('retry.max', max);
    // To the library the first wait counts, where it is the longer one. Of the two it is the default that gives way.
    out.set(name, milliseconds('retry.first', first === undefined ? Math.min(1000, longest) : first), longest);
    if (retries !== undefined && retries !== Infinity)
      out.set('retry.retries', number('retry.retries', retries, 0, 'must be a number, 0 or more, or Infinity'));
  },
  reconnect(name, value, out) {
    if (!Object.hasOwn(RECONNECT, text(name, value))) throw wrong(name, "must be 'auto', 'always' or 'never'");
    out.set(name, RECONNECT[value]);
  },
  standardStatus: (name, value, out) => out.set(name, flag(name, value)),
  maxEventSize(name, value, out) {
    // More than a string can hold would be lost on the way here.
    out.set(name, Math.min(number(name, value, 1, 'must be a number of bytes above 0'), constants.MAX_STRING_LENGTH));
  },
  compression: (name, value, out) => out.set(name, flag(name, value)),
  httpsOnly: (name, value, out) => out.set(name, flag(name, value)),
  proxy(name, value, out) {
    if (value instanceof URL) out.set(name, withPort(value));
    else if (value !== null) out.set(name, text(name, value));
  },
  tls(name, value, out) {
    const { ca, onlyCa, cert, key, pins } = record(name, value, ['ca', 'onlyCa', 'cert', 'key', 'pins']);
    if (ca !== undefined) for (const pem of [ca].flat()) out.set('tls.ca', bytes('tls.ca', pem));
    if (onlyCa !== undefined) out.set('tls.onlyCa', joined('tls.onlyCa', [onlyCa].flat()));
    if ((cert === undefined) !== (key === undefined)) throw wrong(key === undefined ? 'tls.key' : 'tls.cert', 'is missing');
    if (cert !== undefined) out.set('tls.cert', Buffer.concat([joined('tls.cert', [cert].flat()), joined('tls.key', [key].flat())]));
    if (Array.isArray(pins) && pins.length === 0) throw wrong('tls.pins', 'is empty, which no key could match');
    if (pins !== undefined) for (const pin of [pins].flat()) out.set('tls.pins', text('tls.pins', pin));
  },
};

function headers(name, value, out) {
  if (typeof value === 'function') out.headerFunctions.push({ name, give: value, secret: name === 'secretHeaders', given: new Set() });
  else for (const pair of headerPairs(name, value)) out.set(name, ...pair);
}

// A URL drops the port 80 of http; without a port the library takes that of proxies, 1080.
const withPort = ({ href, protocol, port }) => (protocol === 'http:' && port === '' ? href.replace(/^http:\/\/[^/]*/, '$&:80') : href);

const joined = (name, pems) => Buffer.concat(pems.flatMap((pem) => [bytes(name, pem), Buffer.from('\n')]));

function read(init) {
  const calls = [];
  const out = { calls, headerFunctions: [], connectTimeout: 10000, withCredentials: false, set: (...call) => calls.push(call) };
  if (init === undefined || init === null) return out;
  if (typeof init === 'function') throw new TypeError('EventSource: the options must be an object');
  record('init', init, Object.keys(KNOWN));
  for (const [name, take] of Object.entries(KNOWN)) {
    const value = init[name];
    if (value !== undefined) take(name, value, out);
  }
  return out;
}

module.exports = { read, headerPairs, milliseconds };
