'use strict';
// The events that a source dispatches, but for messages.

const inspect = Symbol.for('nodejs.util.inspect.custom');

const show = (event, names) => (depth, options, print) => {
  const shown = { type: event.type };
  for (const name of names) shown[name] = event[name];
  return depth < 0 ? `[${event.constructor.name}]` : `${event.constructor.name} ${print(shown, options)}`;
};

class CommentEvent extends Event {
  #data;

  constructor(data) {
    super('comment');
    this.#data = data;
  }

  get data() { return this.#data; }

  [inspect](...args) { return show(this, ['data'])(...args); }
}

// The names of EVENTSOURCE_ERROR_*, which are the codes of error and close events.
const CODES = [
  'NONE', 'ENDED', 'DNS', 'CONNECT', 'TLS', 'PROXY', 'IO', 'TIMED_OUT', 'HTTP_STATUS', 'CONTENT_TYPE', 'ENCODING',
  'REDIRECT', 'EVENT_TOO_LARGE', 'APPLICATION', 'INTERNAL',
];

class CloseEvent extends Event {
  #code;
  #message;
  #status;

  constructor(code, message, status, type = 'close') {
    super(type);
    this.#code = CODES[code] ?? 'INTERNAL';
    this.#message = message;
    this.#status = status;
  }

  get code() { return this.#code; }
  get message() { return this.#message; }
  get status() { return this.#status; }

  [inspect](...args) { return show(this, ['code', 'message', 'status'])(...args); }
}

class ErrorEvent extends CloseEvent {
  #fields;
  #headers;
  #body;
  #retryIn;

  constructor(code, message, status, fields, body, retryIn) {
    super(code, message, status, 'error');
    this.#fields = fields;
    this.#body = body;
    this.#retryIn = retryIn;
  }

  get headers() {
    // Made when asked for: most errors have none, and nobody looks at most of the others.
    if (this.#headers === undefined) {
      this.#headers = new Headers();
      for (let i = 0; i < this.#fields.length; i += 2) {
        try {
          // Headers holds bytes as Latin-1, as fetch does.
          this.#headers.append(this.#fields[i], Buffer.from(this.#fields[i + 1]).toString('latin1'));
        } catch {
          // A name or value that Headers does not take is not shown.
        }
      }
    }
    return this.#headers;
  }
  get body() { return this.#body; }
  get retryIn() { return this.#retryIn; }

  [inspect](...args) { return show(this, ['code', 'message', 'status', 'body', 'retryIn'])(...args); }
}

module.exports = { CommentEvent, CloseEvent, ErrorEvent, CODES };
