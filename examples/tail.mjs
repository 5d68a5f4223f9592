// tail: follows an event stream and prints what it says, until the server ends it or you press Ctrl-C.
//
//   npm install libeventsource
//   node tail.mjs [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL
//
// Each event is a line `type: data` on stdout. With -v, what happens around the events is told on stderr: attempts,
// comments, errors. Exit status: 0 the server ended the stream or Ctrl-C was pressed, 1 the stream failed for good, 2 wrong usage.

import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { EventSource } from 'libeventsource';

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      verbose: { type: 'boolean', short: 'v' },
      header: { type: 'string', short: 'H', multiple: true, default: [] },
      method: { type: 'string', short: 'X' },
      data: { type: 'string', short: 'd' },
    },
  });
  if (positionals.length !== 1) throw new Error("usage: tail.mjs [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL");
  const headers = values.header.map((header) => {
    const [, name, value] = /^([^:]+):\s*(.*)$/.exec(header) ?? [];
    if (name === undefined) throw new Error(`a header is 'Name: value', not ${header}`);
    return [name, value];
  });
  // A header function is called before each attempt, which is the moment to tell of it. It has none to add.
  const attempt = ({ url, lastEventId }) => console.error(`* connect ${url}${lastEventId === '' ? '' : ` after ${lastEventId}`}`);
  const init = { headers, secretHeaders: values.verbose ? attempt : undefined, method: values.method, body: values.data };
  return { url: positionals[0], verbose: values.verbose, init };
}

let source;
let verbose;
try {
  const wanted = options();
  verbose = wanted.verbose;
  source = new EventSource(wanted.url, wanted.init);
} catch (error) {
  console.error(`tail: ${error.message}`);
  process.exit(2);
}

process.once('SIGINT', () => source.close());
process.once('SIGTERM', () => source.close());
process.stdout.on('error', () => source.close()); // nobody reads on

// A server may call its events error or close, too.
const ours = (type, tell) => source.addEventListener(type, (event) => event instanceof MessageEvent || console.error(tell(event)));
if (verbose) {
  ours('open', () => `* open ${source.url}`);
  ours('comment', ({ data }) => `:${data}`);
  ours('error', ({ message, retryIn }) => `* error: ${message}${retryIn < 0 ? '' : `; trying again in ${retryIn} ms`}`);
  ours('close', ({ message }) => `* close: ${message}`);
}

try {
  // No event is read from the connection before the last one has been written.
  for await (const { type, data } of source) {
    if (!process.stdout.write(`${type}: ${data}\n`)) await once(process.stdout, 'drain');
  }
} catch (error) {
  if (error.code !== 'EPIPE') {
    console.error(`tail: ${error.message}`);
    process.exitCode = 1;
  }
}
