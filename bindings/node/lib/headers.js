'use strict';
// The header functions of a source: asked before an attempt, which does not begin until all have answered.

const { clearTimeout, setTimeout } = require('node:timers'); // those of a window cannot be unref'ed
const { headerPairs } = require('./options.js');

class HeaderFunctions {
  #functions; // { name, give, secret, given }: the option, the function, and the names it has set
  #patience; // milliseconds, 0 without end
  #question = null;

  constructor(functions, patience) {
    this.#functions = functions;
    this.#patience = patience;
  }

  /// The program has set this header itself: it stays, whatever a function leaves out.
  forget(name) {
    for (const { given } of this.#functions) given.delete(name.toLowerCase());
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
  /// `go` is not called. False, too, where the question was abandoned in the functions themselves.
  ask(about, set, fail, go) {
    if (this.#functions.length === 0) return true;
    const abort = new AbortController();
    const question = (this.#question = { abort, timer: undefined });
    const answers = [];
    let thrown = null, later = false;
    try {
      for (const { give } of this.#functions) answers.push(give({ ...about, signal: abort.signal }));
      later = answers.some((answer) => typeof answer?.then === 'function');
    } catch (error) {
      thrown = { error };
    }
    if (this.#question !== question || thrown !== null) {
      Promise.allSettled(answers); // what the others promised does not matter any more, a rejection neither
      if (this.#question !== question) return false;
      this.#question = null;
      abort.abort();
      fail(thrown.error);
      return true;
    }
    if (!later) {
      this.#question = null;
      try {
        this.#take(answers, set);
      } catch (error) {
        abort.abort();
        fail(error);
      }
      return true;
    }
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

  // A header that a function gave for the last attempt and not for this one is not sent: unless another function gives it now.
  #take(answers, set) {
    const all = this.#functions.map(({ name: option }, i) => headerPairs(option, answers[i]));
    this.#functions.forEach(({ secret, given }, i) => {
      const names = all[i].map(([name]) => name.toLowerCase());
      for (const name of given) {
        if (names.includes(name)) continue;
        set(name, null, secret);
        given.delete(name);
      }
    });
    this.#functions.forEach(({ secret, given }, i) => {
      for (const [name, value] of all[i]) {
        set(name, value, secret);
        if (name.toLowerCase() !== 'last-event-id') given.add(name.toLowerCase()); // the place in the stream, which the server moves on
      }
    });
  }
}

module.exports = { HeaderFunctions };
