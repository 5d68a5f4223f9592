// tail: follows an event stream and prints what it says, until the server ends it or you press Ctrl-C.
//
//   npm install libeventsource
//   node tail.mjs [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL
//
// Each event is a line `type: data` on stdout. With -v, what happens around the events is told on stderr: comments and
// errors. Exit status: 0 the server ended the stream or Ctrl-C was pressed, 1 the stream failed for good, 2 wrong usage.

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
  return { url: positionals[0], verbose: values.verbose, init: { headers, method: values.method, body: values.data } };
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

if (verbose) {
  source.addEventListener('open', () => console.error(`* open ${source.url}`));
  source.addEventListener('comment', ({ data }) => console.error(`:${data}`));
  source.addEventListener('error', ({ message, retryIn }) => {
    console.error(`* error: ${message}${retryIn < 0 ? '' : `; trying again in ${retryIn} ms`}`);
  });
}

try {
  // No event is read from the connection before the last one has been written.
  for await (const { type, data } of source) {
    if (!process.stdout.write(`${type}: ${data}\n`)) await once(process.stdout, 'drain');
  }
} catch (error) {
  console.error(`tail: ${error.message}`);
  process.exitCode = 1;
}
