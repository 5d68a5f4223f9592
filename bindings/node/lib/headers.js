'use strict';
// The header functions of a source: asked before an attempt, which does not begin until all have answered.

const { headerPairs } = require('./options.js');

class HeaderFunctions {
  #functions; // { name, give, secret, given }: the option, the function, and the names it has set
  #patience; // milliseconds, 0 without end
  #question = null;

  constructor(functions, patience) {
    this.#functions = functions;
    this.#patience = patience;
  }

  /// Whether an answer is being waited for.
  get asking() { return this.#question !== null; }

  /// Nobody wants the answer any more.
  abandon() {
    if (this.#question === null) return;
    const { abort, timer } = this.#question;
    this.#question = null;
    clearTimeout(timer);
    abort.abort();
  }

  /// Hands every header to `set`, a failure to `fail`, and calls `go` after that. True: all has been done at once, and
  /// `go` is not called.
  ask(about, set, fail, go) {
    if (this.#functions.length === 0) return true;
    const abort = new AbortController();
    const answers = [];
    try {
      for (const { give } of this.#functions) answers.push(give({ ...about, signal: abort.signal }));
      if (!answers.some((answer) => typeof answer?.then === 'function')) {
        this.#take(answers, set);
        return true;
      }
    } catch (error) {
      abort.abort();
      Promise.allSettled(answers); // what the others promised does not matter any more, a rejection neither
      fail(error);
      return true;
    }
    const question = (this.#question = { abort, timer: undefined });
    const settled = (then) => (value) => {
      if (this.#question !== question) return; // abandoned
      this.#question = null;
      clearTimeout(question.timer);
      try {
        then(value);
      } catch (error) {
        fail(error);
      }
      go();
    };
    if (this.#patience > 0) {
      const late = settled(() => {
        abort.abort();
        throw new Error(`no answer within ${this.#patience} ms`);
      });
      question.timer = setTimeout(late, Math.min(this.#patience, 2 ** 31 - 1)).unref();
    }
    Promise.all(answers).then(settled((values) => this.#take(values, set)), settled(fail));
    return false;
  }

  // A header that a function gave for the last attempt and not for this one is not sent.
  #take(answers, set) {
    this.#functions.forEach(({ name: option, secret, given }, i) => {
      const pairs = headerPairs(option, answers[i]);
      const names = pairs.map(([name]) => name.toLowerCase());
      for (const name of given) {
        if (names.includes(name)) continue;
        set(name, null, secret);
        given.delete(name);
      }
      pairs.forEach(([name, value], k) => {
        set(name, value, secret);
        if (names[k] !== 'last-event-id') given.add(names[k]); // the place in the stream, which the server moves on
      });
    });
  }
}

module.exports = { HeaderFunctions };
