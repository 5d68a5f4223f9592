// The Node class as a conformance runner; README.md has the protocol.

import { EventSource } from '../../../bindings/node/index.mjs';
import { STATES, hearer, say, serve } from './lines.mjs';

function options(sets) {
  const all = { headers: {}, secretHeaders: {}, retry: {} };
  const setters = {
    header: (name, value) => { all.headers[name] = value; },
    secret_header: (name, value) => { all.secretHeaders[name] = value; },
    method: (value) => { all.method = value; },
    body: (value) => { all.body = value; },
    last_event_id: (value) => { all.lastEventId = value; },
    retry: (first, max) => Object.assign(all.retry, { first: Number(first), max: Number(max) }),
    max_retries: (value) => { all.retry.retries = Number(value); },
    reconnect: (value) => { all.reconnect = value; },
    standard_status: () => { all.standardStatus = true; },
    response_timeout: (value) => { all.responseTimeout = Number(value); },
    idle_timeout: (value) => { all.idleTimeout = Number(value); },
    max_event_size: (value) => { all.maxEventSize = Number(value); },
    compression: () => { all.compression = true; },
  };
  for (const [key, ...values] of sets) (setters[key] ?? (() => say('lacks', key)))(...values);
  return all;
}

const act = (source, [action, argument]) => source[action](...(argument === undefined ? [] : [Number(argument)]));

function start(url, sets, rules, types) {
  const source = new EventSource(url, options(sets));
  const hear = hearer(rules, (action) => act(source, action));
  for (const type of new Set(['message', ...types])) {
    source.addEventListener(type, (event) => {
      const { data, lastEventId, origin } = event;
      if (event instanceof MessageEvent) hear('message', 'type', event.type, 'data', data, 'id', lastEventId, 'origin', origin);
    });
  }
  // A server may choose these names, too; its events are MessageEvents.
  const own = (name, fields) => source.addEventListener(name, (event) => {
    if (!(event instanceof MessageEvent)) hear(name, ...fields(event));
  });
  own('open', () => []);
  own('comment', ({ data }) => ['data', data]);
  own('error', ({ code, status, retryIn }) => ['error', code, 'status', status, 'state', STATES[source.readyState], 'retry', retryIn]);
  own('close', ({ code, status }) => ['error', code, 'status', status]);
  return source;
}

async function end(source) {
  if (source.readyState === EventSource.CLOSED) return;
  source.close();
  await new Promise((resolve) => source.addEventListener('close', resolve));
}

await serve({ start, act, end });
